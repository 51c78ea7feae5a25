using System.Runtime.InteropServices;

namespace Tapwire.Stack.Packets;

/// <summary>A view of a UDP header.</summary>
public readonly ref struct UdpView
{
    private readonly ref readonly byte _start;

    private UdpView(ReadOnlySpan<byte> bytes) => _start = ref MemoryMarshal.GetReference(bytes);

    public ushort SourcePort => Octets.Get16(in _start, 0);

    public ushort DestinationPort => Octets.Get16(in _start, 2);

    /// <summary>Length of header and payload; may be wrong.</summary>
    public int Length => Octets.Get16(in _start, 4);

    /// <summary>The checksum; 0: the sender has computed none.</summary>
    public ushort Checksum => Octets.Get16(in _start, 6);

    /// <returns>False: fewer than 8 bytes.</returns>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out UdpView view)
    {
        if (bytes.Length < UdpHeader.Length)
        {
            view = default;
            return false;
        }

        view = new UdpView(bytes);
        return true;
    }

    public UdpHeader ToHeader() => new(SourcePort, DestinationPort, (ushort)(Length - UdpHeader.Length));
}

/// <summary>A UDP header (RFC 768).</summary>
/// <param name="PayloadLength">Bytes after the header.</param>
public readonly record struct UdpHeader(ushort SourcePort, ushort DestinationPort, ushort PayloadLength)
{
    /// <summary>8 bytes.</summary>
    public const int Length = 8;

    /// <summary>Where the checksum is.</summary>
    public const int LengthOffset = 4;
    public const int ChecksumOffset = 6;

    /// <summary>Writes the header with an empty checksum.</summary>
    /// <param name="bytes">At least <see cref="Length"/>.</param>
    public void Emit(Span<byte> bytes)
    {
        ref var start = ref MemoryMarshal.GetReference(bytes[..Length]);
        Octets.Put16(ref start, 0, SourcePort);
        Octets.Put16(ref start, 2, DestinationPort);
        Octets.Put16(ref start, 4, (ushort)(Length + PayloadLength));
        Octets.Put16(ref start, ChecksumOffset, 0);
    }
}
