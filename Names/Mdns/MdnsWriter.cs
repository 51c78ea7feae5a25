using System.Buffers.Binary;

namespace Tapwire.Names.Mdns;

/// <summary>The section that a record is written into. They stand in this order in a message.</summary>
internal enum MdnsSection
{
    Answer,
    Authority,
    Additional,
}

/// <summary>Writes one message: its names are compressed, and it grows up to a size that fits the link.</summary>
internal sealed class MdnsWriter
{
    /// <summary>Offsets in pointers have 14 bits.</summary>
    private const int MaxOffset = 0x3FFF;

    private const ushort ResponseFlags = 0x8400; // QR and AA (RFC 6762, 18.2 and 18.4)
    private const ushort Truncated = 0x0200;

    private readonly byte[] _bytes;
    private readonly bool _isLegacy;
    private readonly Dictionary<DnsName, int> _names = [];
    private int _length = DnsMessage.HeaderSize;

    /// <param name="size">The most bytes.</param>
    /// <param name="isLegacy">The asker knows nothing of multicast DNS: no cache-flush bit, and lifetimes of ten seconds at most (RFC 6762, 6.7).</param>
    public MdnsWriter(bool isResponse, int size, bool isLegacy = false, ushort id = 0)
    {
        _bytes = new byte[size];
        _isLegacy = isLegacy;
        BinaryPrimitives.WriteUInt16BigEndian(_bytes, id);
        BinaryPrimitives.WriteUInt16BigEndian(_bytes.AsSpan(2), isResponse ? ResponseFlags : (ushort)0);
    }

    /// <summary>Lifetimes in answers to such an asker, in seconds.</summary>
    private const uint LegacyLifetime = 10;

    public bool IsEmpty => _length == DnsMessage.HeaderSize;

    public byte[] Message => _bytes.AsSpan(0, _length).ToArray();

    /// <summary>More known answers follow.</summary>
    public void SetTruncated() => _bytes[2] |= Truncated >> 8;

    /// <returns>False: there is no room for it, and nothing has changed.</returns>
    public bool TryAsk(in MdnsQuestion question)
    {
        var began = _length;
        if (!TryWrite(question.Name) || !TryWrite((ushort)question.Type) || !TryWrite((ushort)(MdnsMessage.Internet | (question.WantsUnicast ? MdnsMessage.TopBit : 0))))
            return GiveUp(began);
        Count(4);
        return true;
    }

    /// <inheritdoc cref="TryAsk"/>
    public bool TryAdd(MdnsRecord record, MdnsSection section)
    {
        var began = _length;
        var isUnique = record.IsUnique && !_isLegacy && section != MdnsSection.Authority;
        var lifetime = _isLegacy ? Math.Min(record.Lifetime, LegacyLifetime) : record.Lifetime;
        if (!TryWrite(record.Owner) || !TryWrite((ushort)record.Type) || !TryWrite((ushort)(MdnsMessage.Internet | (isUnique ? MdnsMessage.TopBit : 0)))
            || !TryWrite((ushort)(lifetime >> 16)) || !TryWrite((ushort)lifetime))
            return GiveUp(began);
        var at = _length;
        if (!TryWrite(0) || !(record.Type == DnsType.Pointer ? TryWrite(record.Target) : TryWrite(record.Data)))
            return GiveUp(began);
        BinaryPrimitives.WriteUInt16BigEndian(_bytes.AsSpan(at), (ushort)(_length - at - 2));
        Count(6 + (2 * (int)section));
        return true;
    }

    private void Count(int at) => BinaryPrimitives.WriteUInt16BigEndian(_bytes.AsSpan(at), (ushort)(BinaryPrimitives.ReadUInt16BigEndian(_bytes.AsSpan(at)) + 1));

    private bool GiveUp(int began)
    {
        _length = began;
        foreach (var name in _names.Where(name => name.Value >= began).Select(static name => name.Key).ToList())
            _names.Remove(name);
        return false;
    }

    private bool TryWrite(ushort value)
    {
        if (_length + 2 > _bytes.Length)
            return false;
        BinaryPrimitives.WriteUInt16BigEndian(_bytes.AsSpan(_length), value);
        _length += 2;
        return true;
    }

    private bool TryWrite(ReadOnlySpan<byte> bytes)
    {
        if (_length + bytes.Length > _bytes.Length)
            return false;
        bytes.CopyTo(_bytes.AsSpan(_length));
        _length += bytes.Length;
        return true;
    }

    /// <summary>Writes labels, up to the longest end that stands in the message already.</summary>
    private bool TryWrite(DnsName name)
    {
        for (; !name.IsRoot; name = name.Parent)
        {
            if (_names.TryGetValue(name, out var offset))
                return TryWrite((ushort)(0xC000 | offset));
            if (_length <= MaxOffset)
                _names[name] = _length;
            if (!TryWrite(name.Wire[..(1 + name.Wire[0])]))
                return false;
        }

        return TryWrite([0]);
    }
}
