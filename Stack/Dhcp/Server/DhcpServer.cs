using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp.Server;

/// <summary>
/// The server's side of DHCP (RFC 2131, 4.3) for one interface: messages of clients go in with the time, <see cref="DhcpServerEvent"/>s come out. It is the only one of its network, and so answers also for addresses that it does not
/// remember: a client that comes back after a restart of the server keeps its address if that is free, and is told at once if it is not.
/// </summary>
/// <param name="options">What it gives away.</param>
public sealed class DhcpServer(DhcpServerOptions options)
{
    /// <summary>How long an offer is kept for the client's answer.</summary>
    private static readonly TimeSpan OfferTime = TimeSpan.FromSeconds(30);

    /// <summary>How long an address is not given away that a client has found to be somebody else's.</summary>
    private static readonly TimeSpan DeclinedTime = TimeSpan.FromMinutes(10);

    private readonly LeaseTable _table = new(options);
    private readonly Queue<DhcpServerEvent> _events = new();

    public DhcpServerCounters Counters { get; } = new();

    /// <summary>The leases, by address.</summary>
    public IEnumerable<ServedLease> Leases => _table.All.Where(static each => each.IsLeased).OrderBy(static each => each.Address.V4).Select(static each => each.Lease);

    /// <summary>When <see cref="Poll"/> is to be called.</summary>
    public Instant PollAt => _table.NextDue;

    public bool TryDequeue([NotNullWhen(true)] out DhcpServerEvent? next) => _events.TryDequeue(out next);

    /// <summary>Ends what is over.</summary>
    public void Poll(Instant now)
    {
        while (_table.TryTakeExpired(now, out var expired))
        {
            if (expired.IsLeased)
                _events.Enqueue(new DhcpServedEnds(expired.Lease, ServedEnd.Expired));
        }
    }

    /// <summary>Takes a message that has come to port 67. Whatever is in it, nothing is thrown.</summary>
    public void Receive(ReadOnlySpan<byte> message, Instant now)
    {
        Poll(now);
        var drop = DhcpQuestion.Read(message, out var question);
        if (drop == DhcpServerDrop.None)
        {
            Counters.Received++;
            drop = Answer(question!, now);
        }

        if (drop != DhcpServerDrop.None)
            Counters.Count(drop);
    }

    private DhcpServerDrop Answer(DhcpQuestion question, Instant now)
    {
        switch (question.Type)
        {
            case DhcpMessageType.Discover:
                return Offer(question, now);
            case DhcpMessageType.Request when question.Server is { } chosen && chosen != options.Address.Address:
                // It has taken another server's offer.
                if (_table.Find(question.Key) is { IsLeased: false } offered)
                    _table.Remove(offered);
                return DhcpServerDrop.OtherServer;
            case DhcpMessageType.Request:
                return Grant(question, now);
            case DhcpMessageType.Inform:
                Send(DhcpMessageType.Ack, question, IpAddress.AnyV4, TimeSpan.Zero);
                return DhcpServerDrop.None;
            default:
                return TakeBack(question, now);
        }
    }

    private DhcpServerDrop Offer(DhcpQuestion question, Instant now)
    {
        if (_table.Find(question.Key) is not { } binding)
        {
            var drop = TryBind(question, question.RequestedAddress, out binding);
            if (drop != DhcpServerDrop.None)
                return drop;
            binding.Expires = now + OfferTime;
            _table.Add(binding);
        }

        binding.Hardware = question.Hardware;
        // A lease that goes on is not shortened by a question.
        binding.Expires = Instant.Max(binding.Expires, now + OfferTime);
        Send(DhcpMessageType.Offer, question, binding.Address, options.LeaseTime);
        return DhcpServerDrop.None;
    }

    /// <summary>RFC 2131, 4.3.2: the client takes an offer, has an address from before, or wants more time.</summary>
    private DhcpServerDrop Grant(DhcpQuestion question, Instant now)
    {
        var wanted = question.ClientAddress.IsUnspecified ? question.RequestedAddress : question.ClientAddress;
        var binding = _table.Find(question.Key);
        if (wanted is not { } address)
            return DhcpServerDrop.BadOption;
        if (binding is null || binding.Address != address)
        {
            if (!_table.IsFree(address))
                return Refuse(question);
            if (binding is not null)
                End(binding, ServedEnd.Released);
            var drop = TryBind(question, address, out binding);
            if (drop != DhcpServerDrop.None)
                return drop;
            binding.Expires = now + options.LeaseTime;
            _table.Add(binding);
        }

        var isNew = !binding.IsLeased;
        binding.IsLeased = true;
        binding.Hardware = question.Hardware;
        binding.Name = question.Name;
        binding.Expires = now + options.LeaseTime;
        Send(DhcpMessageType.Ack, question, address, options.LeaseTime);
        if (isNew)
            _events.Enqueue(new DhcpServed(binding.Lease));
        return DhcpServerDrop.None;
    }

    private DhcpServerDrop TakeBack(DhcpQuestion question, Instant now)
    {
        var isDeclined = question.Type == DhcpMessageType.Decline;
        var address = isDeclined ? question.RequestedAddress : question.ClientAddress;
        if (question.Server is { } server && server != options.Address.Address)
            return DhcpServerDrop.OtherServer;
        if (_table.Find(question.Key) is not { } binding || binding.Address != address)
            return DhcpServerDrop.NotItsAddress;
        End(binding, isDeclined ? ServedEnd.Declined : ServedEnd.Released);
        if (isDeclined)
            _table.Add(new Binding("", binding.Address) { Expires = now + DeclinedTime });
        return DhcpServerDrop.None;
    }

    private DhcpServerDrop TryBind(DhcpQuestion question, IpAddress? wished, out Binding binding)
    {
        binding = null!;
        if (!_table.TryMakeRoom())
            return DhcpServerDrop.NoRoom;
        if (_table.Choose(question.Key, wished) is not { } address)
            return DhcpServerDrop.NoAddress;
        binding = new Binding(question.Key, address);
        return DhcpServerDrop.None;
    }

    private void End(Binding binding, ServedEnd end)
    {
        _table.Remove(binding);
        if (binding.IsLeased)
            _events.Enqueue(new DhcpServedEnds(binding.Lease, end));
    }

    private DhcpServerDrop Refuse(DhcpQuestion question)
    {
        Send(DhcpMessageType.Nak, question, IpAddress.AnyV4, TimeSpan.Zero);
        return DhcpServerDrop.Refused;
    }

    /// <summary>RFC 2131, 4.1: to the client's address where it has one, to all where it cannot take anything else, and else to the address that it is about to get.</summary>
    private void Send(DhcpMessageType type, DhcpQuestion question, IpAddress yours, TimeSpan lease)
    {
        Counters.Sent++;
        var message = DhcpReply.Emit(type, question, yours, lease, options);
        var toAll = type == DhcpMessageType.Nak || (question.ClientAddress.IsUnspecified && (question.Broadcast || yours.IsUnspecified));
        _events.Enqueue(toAll
            ? new DhcpServerSend(message, IpAddress.BroadcastV4, null)
            : new DhcpServerSend(message, question.ClientAddress.IsUnspecified ? yours : question.ClientAddress, question.Hardware));
    }
}
