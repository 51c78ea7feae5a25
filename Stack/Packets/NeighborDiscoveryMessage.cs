using System.Runtime.InteropServices;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Packets;

/// <summary>Types of options in messages of neighbour discovery (RFC 4861, 4.6; RFC 3971; RFC 4191; RFC 8106).</summary>
public static class NdpOption
{
    public const byte SourceLinkLayerAddress = 1;
    public const byte TargetLinkLayerAddress = 2;
    public const byte PrefixInformation = 3;
    public const byte RedirectedHeader = 4;
    public const byte Mtu = 5;
    public const byte Nonce = 14;
    public const byte RouteInformation = 24;
    public const byte RecursiveDnsServer = 25;
    public const byte DnsSearchList = 31;

    /// <summary>Bytes of a link-layer address option of Ethernet, and of a nonce of 6 bytes.</summary>
    public const int ShortLength = 8;

    /// <summary>Takes the next option.</summary>
    /// <param name="rest">The options; what is behind this one when the method returns.</param>
    /// <param name="option">The whole option, type and length included: a multiple of 8 bytes.</param>
    /// <returns>False: there is none, or the option's length is 0 or beyond the message, which must be dropped then (RFC 4861, 4.6): <paramref name="rest"/> is not empty.</returns>
    public static bool TryTake(scoped ref ReadOnlySpan<byte> rest, out ReadOnlySpan<byte> option)
    {
        option = default;
        if (rest.Length < ShortLength)
            return false;
        var length = rest[1] * 8;
        if (length == 0 || length > rest.Length)
            return false;
        option = rest[..length];
        rest = rest[length..];
        return true;
    }

    /// <summary>All options have good lengths.</summary>
    public static bool AreWellFormed(ReadOnlySpan<byte> options)
    {
        while (TryTake(ref options, out _))
        {
        }

        return options.IsEmpty;
    }

    /// <summary>The first option of a type; empty if there is none. The options are well-formed.</summary>
    public static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> options, byte type)
    {
        while (options.Length >= ShortLength && options[0] != type)
            options = options[(options[1] * 8)..];
        return options.Length < ShortLength ? default : options[..(options[1] * 8)];
    }

    /// <summary>The Ethernet address in an option; null if there is none, or if no station can have it.</summary>
    public static MacAddress? FindHardware(ReadOnlySpan<byte> options, byte type)
    {
        var option = Find(options, type);
        if (option.Length != ShortLength)
            return null;
        var address = MacAddress.FromBytes(option[2..]);
        return address.IsGroup || address.Value == 0 ? null : address;
    }

    /// <summary>Writes an option with an Ethernet address.</summary>
    /// <param name="bytes">At least <see cref="ShortLength"/>.</param>
    public static void Emit(Span<byte> bytes, byte type, MacAddress address)
    {
        bytes[0] = type;
        bytes[1] = 1;
        address.CopyTo(bytes[2..]);
    }
}

/// <summary>A neighbour solicitation or advertisement (RFC 4861, 4.3 and 4.4). Both have the same form.</summary>
/// <param name="Flags">Of an advertisement: see the constants. 0 in a solicitation.</param>
public readonly record struct NeighborMessage(byte Type, byte Flags, IpAddress Target)
{
    /// <summary>24 bytes; options follow.</summary>
    public const int Length = 24;

    /// <summary>Of <see cref="Flags"/>: the sender is a router.</summary>
    public const byte Router = 0x80;

    /// <summary>Of <see cref="Flags"/>: the answer to a solicitation.</summary>
    public const byte Solicited = 0x40;

    /// <summary>Of <see cref="Flags"/>: replaces a link-layer address that is known.</summary>
    public const byte Override = 0x20;

    private const int TargetAt = 8;

    public bool IsSolicited => (Flags & Solicited) != 0;

    public bool Overrides => (Flags & Override) != 0;

    /// <returns>False: fewer than 24 bytes.</returns>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out NeighborMessage message)
    {
        message = default;
        if (bytes.Length < Length)
            return false;
        ref readonly var start = ref MemoryMarshal.GetReference(bytes);
        message = new NeighborMessage(Octets.Get8(in start, 0), Octets.Get8(in start, 4), IpAddress.FromHalves(Octets.Get64(in start, TargetAt), Octets.Get64(in start, TargetAt + 8)));
        return true;
    }

    /// <summary>Writes the message with a checksum of zero.</summary>
    /// <param name="bytes">At least <see cref="Length"/>.</param>
    public void Emit(Span<byte> bytes)
    {
        new Icmpv6Header(Type, 0, (uint)Flags << 24).Emit(bytes);
        Target.CopyTo16(bytes[TargetAt..Length]);
    }
}
