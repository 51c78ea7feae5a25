using System.Net;

namespace Tapwire;

/// <summary>What a connection begins with. What is null is the driver's default.</summary>
public sealed record TapwireConnectOptions
{
    internal static readonly TapwireConnectOptions Default = new();

    /// <summary>As SocketsHttpHandler sets its own sockets.</summary>
    internal static readonly TapwireConnectOptions ForRequests = new() { NoDelay = true };

    /// <summary>The address, and the port if it is not 0, to connect from.</summary>
    public IPEndPoint? LocalEndPoint { get; init; }

    /// <summary>How long names and handshake may take together, after which the call fails with TimedOut. Without a limit TCP gives up, after some two minutes.</summary>
    public TimeSpan Timeout { get; init; } = System.Threading.Timeout.InfiniteTimeSpan;

    /// <summary>TCP Fast Open (RFC 7413): if the driver knows the server's cookie, the call completes at once, and the first write goes with the SYN. The server may get it twice. If the
    /// handshake then fails, the connection ends as if it had been reset.</summary>
    public bool FastOpen { get; init; }

    /// <inheritdoc cref="TapwireStream.NoDelay"/>
    public bool NoDelay { get; init; }

    /// <inheritdoc cref="TapwireStream.ReceiveBufferSize"/>
    public int? ReceiveBufferSize { get; init; }

    /// <inheritdoc cref="TapwireStream.SendBufferSize"/>
    public int? SendBufferSize { get; init; }

    /// <inheritdoc cref="TapwireStream.CongestionControl"/>
    public string? CongestionControl { get; init; }
}

/// <summary>How a listener listens.</summary>
public sealed record TapwireListenOptions
{
    internal static readonly TapwireListenOptions Default = new();

    /// <summary>Connections that may wait to be accepted, 1 to 65535.</summary>
    public int Backlog { get; init; } = 512;

    /// <summary>TCP Fast Open (RFC 7413): this many connections may be accepted, with the data of their SYN, before their handshake is done. That data may arrive twice, as that of two
    /// connections. 0: none.</summary>
    public int FastOpenQueue { get; init; }
}
