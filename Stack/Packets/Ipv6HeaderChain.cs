using System.Buffers.Binary;

namespace Tapwire.Stack.Packets;

/// <summary>What is wrong with a chain of IPv6 extension headers, or nothing.</summary>
public enum Ipv6ChainProblem : byte
{
    None,

    /// <summary>A header ends beyond the packet.</summary>
    Truncated,

    /// <summary>More headers or options than any honest sender makes (RFC 8504, 5.3).</summary>
    TooMany,

    /// <summary>A header's field has a value that it may not have: ICMPv6 parameter problem, code 0.</summary>
    BadField,

    /// <summary>A header that may not come here: ICMPv6 parameter problem, code 1.</summary>
    BadNextHeader,

    /// <summary>An option that is not known and says that the packet be dropped.</summary>
    UnknownOption,

    /// <summary>As <see cref="UnknownOption"/>, and that the sender be told: ICMPv6 parameter problem, code 2.</summary>
    UnknownOptionReported,

    /// <summary>As <see cref="UnknownOptionReported"/>, unless the packet was sent to a group.</summary>
    UnknownOptionReportedUnlessGroup,
}

/// <summary>
/// The extension headers of an IPv6 packet (RFC 8200, 4), up to the transport header or a fragment header. The number of headers and options is bounded, and with it the cost.
/// </summary>
/// <param name="Problem">None, or why the packet must be dropped.</param>
/// <param name="Pointer">With a problem: the offset of the bad byte from the packet's start.</param>
/// <param name="NextHeader">What follows the chain: a transport protocol, <see cref="Ipv6Extension.Fragment"/> or <see cref="Ipv6Extension.NoNextHeader"/>.</param>
/// <param name="NextHeaderAt">The offset of the byte that says so.</param>
/// <param name="Length">Bytes from the packet's start up to there.</param>
/// <param name="HasRouterAlert">There is a router alert option (RFC 2711).</param>
public readonly record struct Ipv6HeaderChain(
    Ipv6ChainProblem Problem, int Pointer, byte NextHeader, int NextHeaderAt, int Length, bool HasRouterAlert)
{
    /// <summary>Extension headers in one packet; more are refused. Those that RFC 8200, 4.1 recommends, each at most once, are fewer.</summary>
    public const int MaxHeaders = 8;

    /// <summary>Options in one header, padding not counted (RFC 8504, 5.3; Linux: max_hbh_opts_number, max_dst_opts_number).</summary>
    public const int MaxOptions = 8;

    /// <summary>Bytes of padding in a row: more is never needed to align an option (RFC 8504, 5.3).</summary>
    public const int MaxPadding = 7;

    private const byte Pad1 = 0;
    private const byte PadN = 1;
    private const byte RouterAlert = 5;

    /// <summary>Walks the chain.</summary>
    /// <param name="packet">Begins with a whole IPv6 header, and ends with the packet's payload.</param>
    public static Ipv6HeaderChain Walk(ReadOnlySpan<byte> packet) => Walk(packet, Ipv6Field.NextHeader, Ipv6Header.Length);

    /// <summary>Walks the rest of a chain, from a place behind the IPv6 header.</summary>
    /// <param name="nextHeaderAt">The offset of the byte that names the header at <paramref name="at"/>.</param>
    public static Ipv6HeaderChain Walk(ReadOnlySpan<byte> packet, int nextHeaderAt, int at)
    {
        var alert = false;
        var isFirst = at == Ipv6Header.Length && nextHeaderAt == Ipv6Field.NextHeader;
        for (var headers = 0; ; headers++, isFirst = false)
        {
            var type = packet[nextHeaderAt];
            if (type is not (Ipv6Extension.HopByHop or Ipv6Extension.Routing or Ipv6Extension.DestinationOptions))
                return new Ipv6HeaderChain(Ipv6ChainProblem.None, 0, type, nextHeaderAt, at, alert);
            if (headers == MaxHeaders)
                return Bad(Ipv6ChainProblem.TooMany, nextHeaderAt);
            if (type == Ipv6Extension.HopByHop && !isFirst)
                return Bad(Ipv6ChainProblem.BadNextHeader, nextHeaderAt);
            if (at + 8 > packet.Length)
                return Bad(Ipv6ChainProblem.Truncated, at);
            var length = (packet[at + 1] + 1) * 8;
            if (at + length > packet.Length)
                return Bad(Ipv6ChainProblem.Truncated, at);
            if (type == Ipv6Extension.Routing)
            {
                // This host is no router on anybody's list (RFC 5095; RFC 8200, 4.4).
                if (packet[at + 3] != 0)
                    return Bad(Ipv6ChainProblem.BadField, at + 2);
            }
            else if (WalkOptions(packet[..(at + length)], at + 2, ref alert) is { Problem: not Ipv6ChainProblem.None } bad)
            {
                return bad;
            }

            nextHeaderAt = at;
            at += length;
        }
    }

    private static Ipv6HeaderChain WalkOptions(ReadOnlySpan<byte> packet, int at, ref bool alert)
    {
        var (options, padding) = (0, 0);
        while (at < packet.Length)
        {
            var type = packet[at];
            if (type == Pad1)
            {
                at++;
                if (++padding > MaxPadding)
                    return Bad(Ipv6ChainProblem.TooMany, at);
                continue;
            }

            if (at + 2 > packet.Length || at + 2 + packet[at + 1] > packet.Length)
                return Bad(Ipv6ChainProblem.Truncated, at);
            var length = 2 + packet[at + 1];
            if (type == PadN)
            {
                padding += length;
                if (padding > MaxPadding)
                    return Bad(Ipv6ChainProblem.TooMany, at);
            }
            else
            {
                padding = 0;
                if (++options > MaxOptions)
                    return Bad(Ipv6ChainProblem.TooMany, at);
                if (type == RouterAlert && length == 4)
                    alert |= BinaryPrimitives.ReadUInt16BigEndian(packet[(at + 2)..]) == 0; // 0: multicast listener discovery
                else if (type >> 6 != 0) // the two highest bits say what is to happen to a packet with an unknown option
                    return Bad((Ipv6ChainProblem)((int)Ipv6ChainProblem.UnknownOption + (type >> 6) - 1), at);
            }

            at += length;
        }

        return default;
    }

    private static Ipv6HeaderChain Bad(Ipv6ChainProblem problem, int pointer) => new(problem, pointer, 0, 0, 0, false);
}
