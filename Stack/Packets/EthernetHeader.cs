using System.Runtime.InteropServices;
using Tapwire.Stack.Interfaces;

namespace Tapwire.Stack.Packets;

/// <summary>EtherTypes that this stack knows of.</summary>
public static class EtherType
{
    public const ushort Ipv4 = 0x0800;
    public const ushort Arp = 0x0806;

    /// <summary>An 802.1Q tag follows.</summary>
    public const ushort Vlan = 0x8100;
    public const ushort Ipv6 = 0x86DD;

    /// <summary>An 802.1ad service tag follows.</summary>
    public const ushort ServiceVlan = 0x88A8;
}

/// <summary>A view of an Ethernet header.</summary>
public readonly ref struct EthernetView
{
    private readonly ref readonly byte _start;

    private EthernetView(ReadOnlySpan<byte> bytes) => _start = ref MemoryMarshal.GetReference(bytes);

    public MacAddress Destination => new((ulong)Octets.Get16(in _start, 0) << 32 | Octets.Get32(in _start, 2));

    public MacAddress Source => new((ulong)Octets.Get16(in _start, 6) << 32 | Octets.Get32(in _start, 8));

    public ushort EtherType => Octets.Get16(in _start, 12);

    /// <returns>False: fewer than 14 bytes.</returns>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out EthernetView view)
    {
        if (bytes.Length < EthernetHeader.Length)
        {
            view = default;
            return false;
        }

        view = new EthernetView(bytes);
        return true;
    }

    public EthernetHeader ToHeader() => new(Destination, Source, EtherType);
}

/// <summary>An Ethernet II header (IEEE 802.3, 3.1.1).</summary>
public readonly record struct EthernetHeader(MacAddress Destination, MacAddress Source, ushort EtherType)
{
    /// <summary>14 bytes.</summary>
    public const int Length = 14;

    /// <param name="bytes">At least <see cref="Length"/>.</param>
    public void Emit(Span<byte> bytes)
    {
        ref var start = ref MemoryMarshal.GetReference(bytes[..Length]);
        Octets.Put16(ref start, 0, (ushort)(Destination.Value >> 32));
        Octets.Put32(ref start, 2, (uint)Destination.Value);
        Octets.Put16(ref start, 6, (ushort)(Source.Value >> 32));
        Octets.Put32(ref start, 8, (uint)Source.Value);
        Octets.Put16(ref start, 12, EtherType);
    }
}
