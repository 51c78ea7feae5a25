using System.Runtime.InteropServices;
using Tapwire.Stack.Buffers;

namespace Tapwire.Stack.Packets;

/// <summary>ICMP message types (RFC 792).</summary>
public static class Icmpv4Type
{
    public const byte EchoReply = 0;
    public const byte DestinationUnreachable = 3;
    public const byte Redirect = 5;
    public const byte Echo = 8;
    public const byte TimeExceeded = 11;
    public const byte ParameterProblem = 12;

    /// <summary>The message is an error, which quotes a packet, and is no redirect.</summary>
    public static bool IsError(byte type) => type is DestinationUnreachable or TimeExceeded or ParameterProblem;
}

/// <summary>Codes of destination unreachable (RFC 792, RFC 1812 5.2.7.1).</summary>
public static class Icmpv4Unreachable
{
    public const byte Network = 0;
    public const byte Host = 1;
    public const byte Protocol = 2;
    public const byte Port = 3;
    public const byte FragmentationNeeded = 4;
    public const byte SourceRouteFailed = 5;
    public const byte NetworkUnknown = 6;
    public const byte HostUnknown = 7;
    public const byte HostIsolated = 8;
    public const byte NetworkProhibited = 9;
    public const byte HostProhibited = 10;
    public const byte NetworkForService = 11;
    public const byte HostForService = 12;
    public const byte Prohibited = 13;
    public const byte PrecedenceViolation = 14;
    public const byte PrecedenceCutoff = 15;
}

/// <summary>A view of an ICMP header.</summary>
public readonly ref struct Icmpv4View
{
    private readonly ref readonly byte _start;

    private Icmpv4View(ReadOnlySpan<byte> bytes) => _start = ref MemoryMarshal.GetReference(bytes);

    public byte Type => Octets.Get8(in _start, 0);

    public byte Code => Octets.Get8(in _start, 1);

    public ushort Checksum => Octets.Get16(in _start, 2);

    /// <summary>The identifier of an echo request or reply.</summary>
    public ushort Identifier => Octets.Get16(in _start, 4);

    /// <summary>The sequence number of an echo request or reply.</summary>
    public ushort Sequence => Octets.Get16(in _start, 6);

    /// <summary>The MTU in "fragmentation needed" (RFC 1191); 0 from routers that do not report it.</summary>
    public ushort NextHopMtu => Octets.Get16(in _start, 6);

    /// <summary>The pointer of a parameter problem: the offset of the refused byte.</summary>
    public byte Pointer => Octets.Get8(in _start, 4);

    /// <returns>False: fewer than 8 bytes.</returns>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out Icmpv4View view)
    {
        if (bytes.Length < Icmpv4Header.Length)
        {
            view = default;
            return false;
        }

        view = new Icmpv4View(bytes);
        return true;
    }

    public Icmpv4Header ToHeader() => new(Type, Code, Octets.Get32(in _start, 4));
}

/// <summary>An ICMP header (RFC 792).</summary>
/// <param name="Rest">The second word, whose meaning depends on the type.</param>
public readonly record struct Icmpv4Header(byte Type, byte Code, uint Rest)
{
    /// <summary>8 bytes.</summary>
    public const int Length = 8;

    public static Icmpv4Header EchoRequest(ushort identifier, ushort sequence) =>
        new(Icmpv4Type.Echo, 0, (uint)identifier << 16 | sequence);

    public static Icmpv4Header EchoReply(ushort identifier, ushort sequence) =>
        new(Icmpv4Type.EchoReply, 0, (uint)identifier << 16 | sequence);

    public static Icmpv4Header Unreachable(byte code) => new(Icmpv4Type.DestinationUnreachable, code, 0);

    /// <summary>Reassembly took too long.</summary>
    public static Icmpv4Header ReassemblyTimeExceeded() => new(Icmpv4Type.TimeExceeded, 1, 0);

    /// <summary>The hop limit has run out on the way.</summary>
    public static Icmpv4Header HopLimitExceeded() => new(Icmpv4Type.TimeExceeded, 0, 0);

    /// <summary>A better gateway to one host.</summary>
    public static Icmpv4Header Redirect(uint gateway) => new(Icmpv4Type.Redirect, 1, gateway);

    public static Icmpv4Header TooBig(ushort mtu) =>
        new(Icmpv4Type.DestinationUnreachable, Icmpv4Unreachable.FragmentationNeeded, mtu);

    public static Icmpv4Header ParameterProblem(byte pointer) => new(Icmpv4Type.ParameterProblem, 0, (uint)pointer << 24);

    /// <summary>Writes the header in front of the rest of the message, and the checksum over all of it.</summary>
    /// <param name="message">The whole message: at least <see cref="Length"/> bytes, of which the first are written.</param>
    public void Emit(Span<byte> message)
    {
        ref var start = ref MemoryMarshal.GetReference(message[..Length]);
        Octets.Put16(ref start, 0, (ushort)(Type << 8 | Code));
        Octets.Put16(ref start, 2, 0);
        Octets.Put32(ref start, 4, Rest);
        Octets.Put16(ref start, 2, Checksum.Finish(Checksum.Sum(message)));
    }
}
