using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp;

// What servers say.
public sealed partial class DhcpClient
{
    /// <summary>A message has come to port 68. One that is no answer to what was asked is dropped and counted.</summary>
    public void Received(ReadOnlySpan<byte> message, Instant now)
    {
        Poll(now);
        if (_isDown || State is not (DhcpState.Selecting or DhcpState.Requesting or DhcpState.Rebooting or DhcpState.Renewing or DhcpState.Rebinding) || _sends == 0)
        {
            Counters.Count(DhcpDrop.NotExpected);
            return;
        }

        var drop = DhcpAnswer.Read(message, _transaction, _options.Hardware, Counters, out var answer);
        if (drop == DhcpDrop.None)
            drop = Take(answer!, now);
        if (drop == DhcpDrop.None)
            Counters.Received++;
        else
            Counters.Count(drop);
    }

    private DhcpDrop Take(DhcpAnswer answer, Instant now)
    {
        if (State == DhcpState.Selecting)
        {
            if (answer.Type != DhcpMessageType.Offer)
                return DhcpDrop.NotExpected;
            _wanted = answer.Lease;
            Enter(DhcpState.Requesting, now);
            Act(now);
            return DhcpDrop.None;
        }

        if (answer.Type == DhcpMessageType.Offer)
            return DhcpDrop.NotExpected;
        // Only the server that was asked may say something; while all are asked, any of them.
        var asked = State switch
        {
            DhcpState.Requesting => _wanted!.Server,
            DhcpState.Renewing => Lease!.Server,
            _ => answer.Server,
        };
        if (answer.Server != asked)
            return DhcpDrop.OtherServer;
        return answer.Lease is { } granted ? Grant(granted, now) : Refuse(answer.Server, now);
    }

    private DhcpDrop Grant(DhcpLease granted, Instant now)
    {
        if (granted.Address.Address != (Lease ?? _wanted!).Address.Address)
            return DhcpDrop.OtherAddress;
        if (!granted.IsEndless && _asked + granted.Lifetime <= now)
            return DhcpDrop.BadLeaseTime;
        if (Lease is not null)
        {
            Bind(granted);
            return DhcpDrop.None;
        }

        _wanted = granted;
        Enter(DhcpState.Probing, now + Random(Pause.Probe));
        return DhcpDrop.None;
    }

    private DhcpDrop Refuse(IpAddress server, Instant now)
    {
        _events.Enqueue(new DhcpRefused(server));
        _hint = null;
        if (Lease is not null)
            Lose(DhcpLoss.Refused, now);
        // A server that offers and then refuses is not asked without end.
        Begin(now + Pause.AfterRefusal * (1 << Math.Min(_refusals++, Pause.Doublings)) + Random(Pause.Spread));
        return DhcpDrop.None;
    }
}
