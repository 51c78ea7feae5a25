using System.Buffers.Binary;
using System.Text;
using Tapwire.Posix;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Links.Protocol;

/// <summary>Which sockets are wanted. Everything that is set has to hold.</summary>
public sealed record SocketFilter
{
    /// <summary>The names of the states, the first bit's first: those of <see cref="ConnectionStatus.State"/>.</summary>
    public static readonly IReadOnlyList<string> States =
    [
        nameof(TcpState.Established), nameof(TcpState.SynSent), nameof(TcpState.SynReceived), nameof(TcpState.FinWait1), nameof(TcpState.FinWait2), nameof(TcpState.CloseWait),
        nameof(TcpState.LastAck), nameof(TcpState.Closing), nameof(TcpState.TimeWait), nameof(TcpState.Closed), "Listen", "Udp", "Icmp",
    ];

    /// <summary>A bit for each of <see cref="States"/>; 0: all.</summary>
    public ushort StateMask { get; init; }

    /// <summary>The port of either end; 0: any.</summary>
    public ushort Port { get; init; }

    /// <summary>The address of either end; null: any.</summary>
    public IpPrefix? Prefix { get; init; }

    /// <summary>The application's process id; 0: any owner.</summary>
    public int Process { get; init; }

    /// <summary>Whether a socket is wanted, as far as the stack can tell: <see cref="Process"/> is not looked at.</summary>
    public bool Has(string state, IpEndpoint local, IpEndpoint remote) =>
        (StateMask == 0 || (StateMask & MaskOf(state)) != 0)
        && (Port == 0 || local.Port == Port || remote.Port == Port)
        && (Prefix is not { } prefix || prefix.Contains(local.Address) || (remote.Port != 0 && prefix.Contains(remote.Address)));

    /// <returns>0: there is no such state.</returns>
    public static ushort MaskOf(string state)
    {
        for (var bit = 0; bit < States.Count; bit++)
        {
            if (States[bit] == state)
                return (ushort)(1 << bit);
        }

        return 0;
    }
}

/// <summary>Asks for the driver's sockets, some at a time. The answer is JSON (docs/status.md): "sockets", and "next" unless that was the end.</summary>
/// <param name="Cursor">0, or "next" of the answer before.</param>
/// <param name="Most">Sockets in the answer at most, 1 to <see cref="MostSockets"/>.</param>
public sealed record ListSocketsRequest(uint Id, SocketFilter Filter, ulong Cursor, int Most) : LinkRequest(LinkMessageType.ListSockets, Id)
{
    /// <summary>As many fit an answer, however long their addresses.</summary>
    public const int MostSockets = 512;

    /// <summary>Bytes of the whole frame.</summary>
    internal const int Size = 72;

    public LinkAnswer Listed(string json) => new(Type, Id, 0, Encoding.UTF8.GetBytes(json));

    /// <param name="address">Of the family Unspecified: any.</param>
    internal static ListSocketsRequest Read(uint id, Sockaddr address, ReadOnlySpan<byte> frame)
    {
        IpPrefix? prefix = null;
        if (address.Family != SocketFamily.Unspecified)
        {
            var length = BinaryPrimitives.ReadUInt32LittleEndian(frame[48..]);
            if (length > (address.Family == SocketFamily.V4 ? 32u : 128u))
                throw new LinkProtocolException($"A prefix of {length} bits is none.");
            prefix = new IpPrefix(address.Endpoint.Address, (int)length);
        }

        var filter = new SocketFilter
        {
            Port = BinaryPrimitives.ReadUInt16LittleEndian(frame[44..]),
            StateMask = BinaryPrimitives.ReadUInt16LittleEndian(frame[46..]),
            Prefix = prefix,
            Process = (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(frame[52..]), int.MaxValue),
        };
        return new(id, filter, BinaryPrimitives.ReadUInt64LittleEndian(frame[56..]), (int)Math.Clamp(BinaryPrimitives.ReadUInt32LittleEndian(frame[64..]), 1, MostSockets));
    }

    internal void WriteBody(Span<byte> frame)
    {
        (Filter.Prefix is { } prefix ? Sockaddr.From(new IpEndpoint(prefix.Address, 0)) : Sockaddr.None).WriteTo(frame[16..]);
        BinaryPrimitives.WriteUInt16LittleEndian(frame[44..], Filter.Port);
        BinaryPrimitives.WriteUInt16LittleEndian(frame[46..], Filter.StateMask);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[48..], (uint)(Filter.Prefix?.Length ?? 0));
        BinaryPrimitives.WriteUInt32LittleEndian(frame[52..], (uint)Filter.Process);
        BinaryPrimitives.WriteUInt64LittleEndian(frame[56..], Cursor);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[64..], (uint)Most);
    }
}
