namespace Tapwire.Stack.Dhcp.V6;

// What servers are asked.
public sealed partial class Dhcp6Client
{
    /// <summary>The message of this state.</summary>
    private Dhcp6Message Question(Instant now) => State switch
    {
        Dhcp6State.Soliciting => Message(Dhcp6MessageType.Solicit, now) with { RapidCommit = true, Association = _options.Association, Addresses = _hints },
        Dhcp6State.Requesting => Message(Dhcp6MessageType.Request, now) with
        {
            Server = _wanted!.Server,
            Association = _options.Association,
            Addresses = [.. _wanted.Addresses.Select(static address => address.Address)],
        },
        Dhcp6State.Confirming => Message(Dhcp6MessageType.Confirm, now) with { Association = _options.Association, Addresses = Lease is null ? _hints : [.. Addresses] },
        Dhcp6State.Renewing => Message(Dhcp6MessageType.Renew, now) with { Server = Lease!.Server, Association = _options.Association, Addresses = [.. Addresses] },
        Dhcp6State.Rebinding => Message(Dhcp6MessageType.Rebind, now) with { Association = _options.Association, Addresses = [.. Addresses] },
        Dhcp6State.Declining => Message(Dhcp6MessageType.Decline, now) with { Server = _declined.Server, Association = _options.Association, Addresses = [_declined.Address] },
        _ => Message(Dhcp6MessageType.InformationRequest, now),
    };

    private Dhcp6Message Message(Dhcp6MessageType type, Instant now) => new()
    {
        Type = type,
        Transaction = _transaction,
        Client = _options.Duid,
        HostName = _options.HostName,
        Elapsed = _sends == 0 ? TimeSpan.Zero : now - _began,
    };

    private void Send(Dhcp6Message message)
    {
        _sends++;
        Counters.Sent++;
        _events.Enqueue(new Dhcp6Send(message.Emit()));
    }
}
