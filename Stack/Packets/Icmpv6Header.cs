using System.Runtime.InteropServices;

namespace Tapwire.Stack.Packets;

/// <summary>ICMPv6 message types (RFC 4443, RFC 4861, RFC 2710, RFC 3810). Errors are below 128.</summary>
public static class Icmpv6Type
{
    public const byte DestinationUnreachable = 1;
    public const byte PacketTooBig = 2;
    public const byte TimeExceeded = 3;
    public const byte ParameterProblem = 4;
    public const byte EchoRequest = 128;
    public const byte EchoReply = 129;
    public const byte MulticastListenerQuery = 130;
    public const byte MulticastListenerReport = 131;
    public const byte MulticastListenerDone = 132;
    public const byte RouterSolicitation = 133;
    public const byte RouterAdvertisement = 134;
    public const byte NeighborSolicitation = 135;
    public const byte NeighborAdvertisement = 136;
    public const byte Redirect = 137;
    public const byte MulticastListenerReportV2 = 143;

    /// <summary>The message is about another packet, and must not be answered with an error (RFC 4443, 2.4(e)).</summary>
    public static bool IsErrorOrRedirect(byte type) => IsError(type) || type == Redirect;

    /// <summary>The message is an error, which quotes a packet (RFC 4443, 2.1).</summary>
    public static bool IsError(byte type) => type < EchoRequest;

    /// <summary>The message is of MLD (RFC 2710, RFC 3810).</summary>
    public static bool IsMulticastListenerDiscovery(byte type) => type is >= MulticastListenerQuery and <= MulticastListenerDone or MulticastListenerReportV2;

    /// <summary>The message is of neighbour discovery (RFC 4861).</summary>
    public static bool IsNeighborDiscovery(byte type) => type is >= RouterSolicitation and <= Redirect;
}

/// <summary>Codes of destination unreachable (RFC 4443, 3.1).</summary>
public static class Icmpv6Unreachable
{
    public const byte NoRoute = 0;
    public const byte Prohibited = 1;
    public const byte BeyondScope = 2;
    public const byte Address = 3;
    public const byte Port = 4;
    public const byte PolicyFailed = 5;
    public const byte RejectRoute = 6;
}

/// <summary>Codes of parameter problem (RFC 4443, 3.4; RFC 7112, 5).</summary>
public static class Icmpv6ParameterProblem
{
    public const byte Field = 0;
    public const byte NextHeader = 1;
    public const byte Option = 2;
    public const byte FirstFragment = 3;
}

/// <summary>A view of an ICMPv6 header.</summary>
public readonly ref struct Icmpv6View
{
    private readonly ref readonly byte _start;

    private Icmpv6View(ReadOnlySpan<byte> bytes) => _start = ref MemoryMarshal.GetReference(bytes);

    public byte Type => Octets.Get8(in _start, 0);

    public byte Code => Octets.Get8(in _start, 1);

    public ushort Checksum => Octets.Get16(in _start, 2);

    /// <summary>The second word, whose meaning depends on the type: the MTU of "packet too big", the pointer of a parameter problem.</summary>
    public uint Rest => Octets.Get32(in _start, 4);

    /// <summary>The identifier of an echo request or reply.</summary>
    public ushort Identifier => Octets.Get16(in _start, 4);

    /// <summary>The sequence number of an echo request or reply.</summary>
    public ushort Sequence => Octets.Get16(in _start, 6);

    /// <returns>False: fewer than 8 bytes.</returns>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out Icmpv6View view)
    {
        if (bytes.Length < Icmpv6Header.Length)
        {
            view = default;
            return false;
        }

        view = new Icmpv6View(bytes);
        return true;
    }

    public Icmpv6Header ToHeader() => new(Type, Code, Rest);
}

/// <summary>An ICMPv6 header (RFC 4443, 2.1). Its checksum covers a pseudo-header: the IP layer writes it.</summary>
/// <param name="Rest">The second word, whose meaning depends on the type.</param>
public readonly record struct Icmpv6Header(byte Type, byte Code, uint Rest)
{
    /// <summary>8 bytes.</summary>
    public const int Length = 8;

    /// <summary>Offset of the checksum.</summary>
    public const int ChecksumOffset = 2;

    public static Icmpv6Header EchoRequest(ushort identifier, ushort sequence) => new(Icmpv6Type.EchoRequest, 0, (uint)identifier << 16 | sequence);

    public static Icmpv6Header EchoReply(ushort identifier, ushort sequence) => new(Icmpv6Type.EchoReply, 0, (uint)identifier << 16 | sequence);

    public static Icmpv6Header Unreachable(byte code) => new(Icmpv6Type.DestinationUnreachable, code, 0);

    /// <summary>The hop limit has run out on the way.</summary>
    public static Icmpv6Header HopLimitExceeded() => new(Icmpv6Type.TimeExceeded, 0, 0);

    /// <param name="mtu">What fits, in bytes.</param>
    public static Icmpv6Header TooBig(uint mtu) => new(Icmpv6Type.PacketTooBig, 0, mtu);

    /// <summary>Reassembly took too long.</summary>
    public static Icmpv6Header ReassemblyTimeExceeded() => new(Icmpv6Type.TimeExceeded, 1, 0);

    /// <param name="code">One of <see cref="Icmpv6ParameterProblem"/>.</param>
    /// <param name="pointer">Offset of the refused byte in the packet.</param>
    public static Icmpv6Header ParameterProblem(byte code, uint pointer) => new(Icmpv6Type.ParameterProblem, code, pointer);

    /// <summary>Writes the header, with a checksum of zero.</summary>
    /// <param name="bytes">At least <see cref="Length"/>.</param>
    public void Emit(Span<byte> bytes)
    {
        ref var start = ref MemoryMarshal.GetReference(bytes[..Length]);
        Octets.Put16(ref start, 0, (ushort)(Type << 8 | Code));
        Octets.Put16(ref start, ChecksumOffset, 0);
        Octets.Put32(ref start, 4, Rest);
    }
}
