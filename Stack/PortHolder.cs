using Tapwire.Stack.Ip;

namespace Tapwire.Stack;

/// <summary>What a socket does with its local port, as far as the other shards must know.</summary>
internal enum PortUse : byte
{
    /// <summary>TCP: bound, and no more.</summary>
    Reserved,

    /// <summary>TCP: takes connections.</summary>
    Listens,

    /// <summary>UDP: takes datagrams from anybody.</summary>
    Receives,

    /// <summary>UDP: takes the datagrams of one peer.</summary>
    Connected,

    /// <summary>TCP: the socket is closed, and its shard has connections that it accepted, or that were opened from the port.</summary>
    Left,
}

/// <summary>A socket that has a local port. Two that are equal stand for each other.</summary>
/// <param name="Remote">The peer of a connected UDP socket.</param>
internal sealed record PortHolder(int Shard, IpEndpoint Local, PortSharing Sharing, PortUse Use, IpEndpoint Remote = default)
{
    /// <summary>It takes what comes from anybody.</summary>
    public bool IsOpen => Use is PortUse.Listens or PortUse.Receives;

    /// <summary>Whether both can have the port at once (Linux: inet_csk_bind_conflict, udp_lib_lport_inuse).</summary>
    /// <param name="newcomer">Binds, or begins to listen.</param>
    public bool Admits(PortHolder newcomer)
    {
        var others = newcomer.Sharing;
        if (!PortSharing.Overlap(Local.Address, Sharing, newcomer.Local.Address, others))
            return true;
        if (Sharing.ReuseAddress && others.ReuseAddress && Use != PortUse.Listens)
            return true;

        // A connection does not keep anybody's sockets away who could have accepted it. Its own shard knows it better: see TcpPorts.MayShareWithConnections.
        return Use == PortUse.Left
            ? newcomer.Shard == Shard || (Sharing.ReusePort && others.ReusePort)
            : Sharing.SharesPort(others);
    }
}
