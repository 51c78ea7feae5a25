using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Tapwire.Stack.Ip;

namespace Tapwire.Names.Mdns;

/// <summary>A record of class IN as multicast DNS has it (RFC 6762, 10): of a set that one host has alone, or of one that several share.</summary>
internal sealed class MdnsRecord
{
    /// <summary>TTL of records that have a host's name or address in them, in seconds (RFC 6762, 10).</summary>
    public const uint HostLifetime = 120;

    /// <summary>TTL of all others, in seconds.</summary>
    public const uint OtherLifetime = 4500;

    private readonly byte[] _data;
    private byte[]? _spelling;

    /// <param name="isUnique">The cache-flush bit: whoever sends it has all records of this name and type (RFC 6762, 10.2).</param>
    /// <param name="lifetime">TTL in seconds; 0: the record is no longer true (RFC 6762, 10.1).</param>
    /// <param name="data">Without pointers: the names in it are whole.</param>
    public MdnsRecord(DnsName owner, DnsType type, bool isUnique, uint lifetime, byte[] data)
    {
        Owner = owner;
        Type = type;
        IsUnique = isUnique;
        Lifetime = lifetime;
        _data = data;
    }

    public DnsName Owner { get; }

    public DnsType Type { get; }

    public bool IsUnique { get; }

    public uint Lifetime { get; }

    public ReadOnlySpan<byte> Data => _data;

    /// <summary>Of <see cref="DnsType.A"/> and <see cref="DnsType.Aaaa"/>.</summary>
    public IpAddress Address => IpAddress.FromBytes(_data);

    /// <summary>The name in the data of <see cref="DnsType.Pointer"/>, <see cref="DnsType.CanonicalName"/> and <see cref="DnsType.Service"/>.</summary>
    public DnsName Target => DnsName.FromWire(Type == DnsType.Service ? Data[6..] : Data);

    /// <summary>Of <see cref="DnsType.Pointer"/>: the target with its letters as they are written.</summary>
    public ReadOnlySpan<byte> Spelling => _spelling ?? _data;

    /// <summary>Of <see cref="DnsType.Service"/> (RFC 2782).</summary>
    public ushort ServicePort => BinaryPrimitives.ReadUInt16BigEndian(_data.AsSpan(4));

    /// <summary>Of <see cref="DnsType.Text"/>: what it says, mostly "key=value" (RFC 6763, 6). Empty strings, and one that goes beyond the record, are left out.</summary>
    public IReadOnlyList<string> Strings
    {
        get
        {
            var strings = new List<string>();
            for (var at = 0; at < _data.Length && at + 1 + _data[at] <= _data.Length; at += 1 + _data[at])
            {
                if (_data[at] > 0)
                    strings.Add(Encoding.UTF8.GetString(_data, at + 1, _data[at]));
            }

            return strings;
        }
    }

    /// <summary>The same with another TTL.</summary>
    public MdnsRecord With(uint lifetime) => new(Owner, Type, IsUnique, lifetime, _data);

    public static MdnsRecord OfAddress(DnsName owner, IpAddress address)
    {
        var data = new byte[address.Length];
        address.CopyTo(data);
        return new MdnsRecord(owner, address.IsV4 ? DnsType.A : DnsType.Aaaa, isUnique: true, HostLifetime, data);
    }

    public static MdnsRecord OfPointer(DnsName owner, DnsName target, bool isUnique) =>
        new(owner, DnsType.Pointer, isUnique, isUnique ? HostLifetime : OtherLifetime, target.Wire.ToArray());

    /// <summary>SRV with priority and weight 0 (RFC 2782).</summary>
    public static MdnsRecord OfService(DnsName owner, ushort port, DnsName target) =>
        new(owner, DnsType.Service, isUnique: true, HostLifetime, [0, 0, 0, 0, (byte)(port >> 8), (byte)port, .. target.Wire]);

    /// <summary>TXT that says nothing: one empty string (RFC 6763, 6.1).</summary>
    public static MdnsRecord OfNoText(DnsName owner) => new(owner, DnsType.Text, isUnique: true, OtherLifetime, [0]);

    /// <summary>NSEC in the form of RFC 6762, 6.1: the name has records of these types, all of which are below 256, and no others.</summary>
    public static MdnsRecord OfTypes(DnsName owner, uint lifetime, params ReadOnlySpan<DnsType> types)
    {
        Span<byte> bits = stackalloc byte[32];
        var length = 0;
        foreach (var type in types)
        {
            bits[(int)type >> 3] |= (byte)(0x80 >> ((int)type & 7));
            length = Math.Max(length, ((int)type >> 3) + 1);
        }

        return new MdnsRecord(owner, DnsType.NextSecure, isUnique: true, lifetime, [.. owner.Wire, 0, (byte)length, .. bits[..length]]);
    }

    /// <summary>Of <see cref="DnsType.NextSecure"/>: whether its name has records of a type. Of a bitmap that cannot be read: it may have.</summary>
    public bool HasType(DnsType type)
    {
        // The next name comes first.
        var at = 0;
        while (_data[at] != 0)
            at += 1 + _data[at];
        at++;
        while (at + 2 <= _data.Length)
        {
            var (block, length) = (_data[at], _data[at + 1]);
            at += 2;
            if (at + length > _data.Length)
                return true;
            if (block == (int)type >> 8)
                return ((int)type & 0xFF) >> 3 < length && (_data[at + (((int)type & 0xFF) >> 3)] & (0x80 >> ((int)type & 7))) != 0;
            at += length;
        }

        return at != _data.Length;
    }

    /// <summary>Whether both say the same: their TTLs do not matter.</summary>
    public bool IsSame([NotNullWhen(true)] MdnsRecord? other) => other is not null && Type == other.Type && Owner.Equals(other.Owner) && Data.SequenceEqual(other.Data);

    public MdnsRecord With(uint lifetime, bool isUnique) => new(Owner, Type, isUnique, lifetime, _data);

    /// <summary>The order by which a simultaneous probe is decided: type, then data (RFC 6762, 8.2).</summary>
    public static int Compare(MdnsRecord one, MdnsRecord other) => one.Type != other.Type ? one.Type.CompareTo(other.Type) : one.Data.SequenceCompareTo(other.Data);

    /// <summary>Reads what follows a record's head. Types whose names may be compressed are made whole (RFC 6762, 18.14).</summary>
    /// <param name="record">Null: of another class, which is skipped.</param>
    public static bool TryRead(ref DnsReader reader, in DnsReader.RecordHead head, out MdnsRecord? record)
    {
        record = null;
        var end = reader.Position + head.Length;
        byte[]? spelling = null;
        byte[] data;
        switch (head.Type)
        {
            case DnsType.CanonicalName or DnsType.Pointer:
                if (!reader.TryReadName(out var target, out spelling))
                    return false;
                data = target.Wire.ToArray();
                break;
            case DnsType.Service:
                if (!reader.TryReadBytes(6, out var numbers) || !reader.TryReadName(out var host))
                    return false;
                data = [.. numbers, .. host.Wire];
                break;
            case DnsType.NextSecure:
                if (!reader.TryReadName(out var next) || !reader.TryReadBytes(end - reader.Position, out var bits))
                    return false;
                data = [.. next.Wire, .. bits];
                break;
            default:
                if (!reader.TryReadBytes(head.Length, out var bytes) || (head.Type == DnsType.A && bytes.Length != 4) || (head.Type == DnsType.Aaaa && bytes.Length != 16))
                    return false;
                data = bytes.ToArray();
                break;
        }

        if (reader.Position != end)
            return false;
        // The highest bit of a TTL means 0 (RFC 2181, 8).
        if ((head.Class & ~MdnsMessage.TopBit) == MdnsMessage.Internet && head.Type != DnsType.Options)
            record = new MdnsRecord(head.Owner, head.Type, (head.Class & MdnsMessage.TopBit) != 0, head.Lifetime > int.MaxValue ? 0 : head.Lifetime, data)
            {
                _spelling = head.Type == DnsType.Pointer && !data.AsSpan().SequenceEqual(spelling) ? spelling : null,
            };
        return true;
    }

    /// <summary>The data's bytes, of names that are whole.</summary>
    public int Length => _data.Length;

    public override string ToString() => $"{Owner} {Type} {Convert.ToHexString(_data)}";
}
