using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp.V6;

// What servers say.
public sealed partial class Dhcp6Client
{
    /// <summary>The preference that ends the collecting of advertisements (RFC 8415, 18.2.1).</summary>
    private const byte TakeAtOnce = 255;

    /// <summary>A message has come to port 546. One that is no answer to what was asked is dropped and counted.</summary>
    /// <param name="source">Who has sent it.</param>
    public void Received(ReadOnlySpan<byte> message, IpAddress source, Instant now)
    {
        Poll(now);
        var drop = TryTake(message, source, now);
        if (drop == DhcpDrop.None)
            Counters.Received++;
        else
            Counters.Count(drop);
    }

    private DhcpDrop TryTake(ReadOnlySpan<byte> message, IpAddress source, Instant now)
    {
        if (!source.IsLinkLocal)
            return DhcpDrop.BadSource;
        if (_isDown || _sends == 0 || State is Dhcp6State.Stopped)
            return DhcpDrop.NotExpected;
        var drop = Dhcp6Answer.Read(message, _transaction, _options.Duid.Span, _options.Association, Counters, out var answer);
        if (drop != DhcpDrop.None)
            return drop;
        // RFC 8415, 18.2.9: also of an answer that is of no other use.
        _solicitMaxRt = answer!.SolicitMaxRt ?? _solicitMaxRt;
        _informationMaxRt = answer.InformationMaxRt ?? _informationMaxRt;
        drop = Take(answer, now);
        if (drop == DhcpDrop.None)
            Server = source;
        return drop;
    }

    private DhcpDrop Take(Dhcp6Answer answer, Instant now)
    {
        // A server may grant what was only solicited, if it says so.
        var isExpected = State == Dhcp6State.Soliciting ? answer.Type == Dhcp6MessageType.Advertise || answer.RapidCommit : answer.Type == Dhcp6MessageType.Reply;
        if (!isExpected)
            return DhcpDrop.NotExpected;
        // Only the server that was asked may say something; while all are asked, any of them.
        ReadOnlyMemory<byte>? asked = State switch
        {
            Dhcp6State.Requesting => _wanted!.Server,
            Dhcp6State.Renewing => Lease!.Server,
            Dhcp6State.Declining => _declined.Server,
            _ => (ReadOnlyMemory<byte>?)null,
        };
        if (asked is { } server && !answer.Server.AsSpan().SequenceEqual(server.Span))
            return DhcpDrop.OtherServer;
        switch (State)
        {
            case Dhcp6State.Soliciting when answer.Type == Dhcp6MessageType.Advertise:
                return TakeAdvertisement(answer, now);
            case Dhcp6State.Confirming:
                return TakeConfirmation(answer.Status, now);
            case Dhcp6State.Declining:
                SolicitAfter(Pause.AfterDecline, now);
                return DhcpDrop.None;
            case Dhcp6State.Informing:
                return TakeInformation(answer, now);
            default:
                return TakeGrant(answer, now);
        }
    }

    /// <summary>RFC 8415, 18.2.9: the highest preference counts, and the first of equal ones. After the first pause whoever comes first is taken.</summary>
    private DhcpDrop TakeAdvertisement(Dhcp6Answer answer, Instant now)
    {
        if (answer.Status != Dhcp6Status.Success || answer.AssociationStatus != Dhcp6Status.Success)
            return DhcpDrop.BadStatus;
        if (answer.Lease is not { } offered)
            return DhcpDrop.NoAddress;
        if (answer.Preference > _preference)
            (_wanted, _preference) = (offered, answer.Preference);
        if (_sends > 1 || answer.Preference == TakeAtOnce)
            RequestFrom(_wanted!, now);
        return DhcpDrop.None;
    }

    private DhcpDrop TakeConfirmation(Dhcp6Status status, Instant now)
    {
        switch (status)
        {
            case Dhcp6Status.Success when Lease is not null:
                Rest(Dhcp6State.Bound);
                Poll(now);
                return DhcpDrop.None;
            case Dhcp6Status.Success:
                // What was kept counts from when it was got.
                Bind(_wanted!, _wanted!.IsEndless ? now : _wantedAt + _wantedLeft - _wanted.Lifetime, now);
                return DhcpDrop.None;
            case Dhcp6Status.NotOnLink:
                Refuse(status, now);
                return DhcpDrop.None;
            default:
                return DhcpDrop.BadStatus;
        }
    }

    private DhcpDrop TakeInformation(Dhcp6Answer answer, Instant now)
    {
        if (answer.Status != Dhcp6Status.Success)
            return DhcpDrop.BadStatus;
        _information = (answer.NameServers, answer.Domains);
        _hasComplained = false;
        Rest(Dhcp6State.Informed);
        _due = LeaseTimes.Until(now, answer.Refresh);
        _events.Enqueue(new Dhcp6Told(answer.NameServers, answer.Domains));
        Configure();
        return DhcpDrop.None;
    }

    /// <summary>RFC 8415, 18.2.10.1. What a server has no cure for is no answer: it, or another one, is asked again in due time.</summary>
    private DhcpDrop TakeGrant(Dhcp6Answer answer, Instant now)
    {
        var status = answer.Status == Dhcp6Status.Success ? answer.AssociationStatus : answer.Status;
        switch (status)
        {
            case Dhcp6Status.Success:
                break;
            case Dhcp6Status.NoBinding when State is Dhcp6State.Renewing or Dhcp6State.Rebinding:
                RequestFrom(Lease! with { Server = answer.Server }, now);
                return DhcpDrop.None;
            case Dhcp6Status.NoAddrsAvail or Dhcp6Status.NoBinding or Dhcp6Status.NotOnLink when State is Dhcp6State.Requesting:
                Refuse(status, now);
                return DhcpDrop.None;
            default:
                return DhcpDrop.BadStatus;
        }

        if (_held.RemoveAll(held => answer.Removed.Contains(held.Address)) > 0 && _held.Count == 0 && answer.Lease is null)
        {
            Lose(DhcpLoss.Refused, Pauses(), now);
            return DhcpDrop.None;
        }

        if (answer.Lease is not { } granted)
        {
            Configure();
            return DhcpDrop.NoAddress;
        }

        Bind(granted, now, now);
        return DhcpDrop.None;
    }

    /// <summary>A server that refuses is not asked without end.</summary>
    private void Refuse(Dhcp6Status status, Instant now)
    {
        _events.Enqueue(new Dhcp6Refused(status));
        _hints = [];
        if (Lease is not null)
            Lose(DhcpLoss.Refused, Pauses(), now);
        else
            SolicitAfter(Pauses(), now);
    }

    private TimeSpan Pauses() => Pause.AfterRefusal * (1 << Math.Min(_refusals++, Pause.Doublings));

    /// <param name="from">When its times began.</param>
    private void Bind(Dhcp6Lease lease, Instant from, Instant now)
    {
        var before = Lease;
        foreach (var (address, preferred, valid) in lease.Addresses)
        {
            var held = _held.Find(other => other.Address == address);
            if (held is null && _held.Count < Dhcp6Lease.MostAddresses)
                _held.Add(held = new HeldAddress(address));
            if (held is null)
                continue;
            held.PreferredUntil = LeaseTimes.Until(from, preferred);
            held.ValidUntil = LeaseTimes.Until(from, valid);
            held.IsDeprecated = held.PreferredUntil <= now;
        }

        // Those that were had before, and of which the server says nothing now, live on (RFC 8415, 18.2.10.1).
        Lease = lease;
        _times = LeaseTimes.Of(lease.RenewalTime, lease.RebindingTime, lease.Lifetime, from, _random);
        _wanted = null;
        _refusals = 0;
        _hasComplained = false;
        Rest(Dhcp6State.Bound);
        _events.Enqueue(new Dhcp6Bound(lease, before));
        Configure();
        Poll(now);
    }
}
