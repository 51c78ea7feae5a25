using System.Runtime.InteropServices;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;

namespace Tapwire.Stack.Packets;

/// <summary>ARP operation codes (RFC 826).</summary>
public enum ArpOperation : ushort
{
    Request = 1,
    Reply = 2,
}

/// <summary>A view of an ARP packet, laid out for Ethernet and IPv4 addresses.</summary>
public readonly ref struct ArpView
{
    private readonly ref readonly byte _start;

    private ArpView(ReadOnlySpan<byte> bytes) => _start = ref MemoryMarshal.GetReference(bytes);

    /// <summary>Hardware type Ethernet, protocol type IPv4, address lengths 6 and 4. Without these the other fields mean nothing.</summary>
    public bool IsEthernetIpv4 => Octets.Get32(in _start, 0) == 0x0001_0800 && Octets.Get16(in _start, 4) == 0x0604;

    public ArpOperation Operation => (ArpOperation)Octets.Get16(in _start, 6);

    public MacAddress SenderHardware => new((ulong)Octets.Get16(in _start, 8) << 32 | Octets.Get32(in _start, 10));

    public IpAddress SenderProtocol => IpAddress.FromV4(Octets.Get32(in _start, 14));

    public MacAddress TargetHardware => new((ulong)Octets.Get16(in _start, 18) << 32 | Octets.Get32(in _start, 20));

    public IpAddress TargetProtocol => IpAddress.FromV4(Octets.Get32(in _start, 24));

    /// <returns>False: fewer than 28 bytes.</returns>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out ArpView view)
    {
        if (bytes.Length < ArpPacket.Length)
        {
            view = default;
            return false;
        }

        view = new ArpView(bytes);
        return true;
    }

    public ArpPacket ToPacket() => new(Operation, SenderHardware, SenderProtocol, TargetHardware, TargetProtocol);
}

/// <summary>An ARP packet for IPv4 on Ethernet (RFC 826).</summary>
public readonly record struct ArpPacket(
    ArpOperation Operation, MacAddress SenderHardware, IpAddress SenderProtocol, MacAddress TargetHardware, IpAddress TargetProtocol)
{
    /// <summary>28 bytes.</summary>
    public const int Length = 28;

    /// <param name="bytes">At least <see cref="Length"/>.</param>
    public void Emit(Span<byte> bytes)
    {
        ref var start = ref MemoryMarshal.GetReference(bytes[..Length]);
        Octets.Put32(ref start, 0, 0x0001_0800);
        Octets.Put16(ref start, 4, 0x0604);
        Octets.Put16(ref start, 6, (ushort)Operation);
        Octets.Put16(ref start, 8, (ushort)(SenderHardware.Value >> 32));
        Octets.Put32(ref start, 10, (uint)SenderHardware.Value);
        Octets.Put32(ref start, 14, SenderProtocol.V4);
        Octets.Put16(ref start, 18, (ushort)(TargetHardware.Value >> 32));
        Octets.Put32(ref start, 20, (uint)TargetHardware.Value);
        Octets.Put32(ref start, 24, TargetProtocol.V4);
    }
}
