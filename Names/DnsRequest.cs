using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Ip;

namespace Tapwire.Names;

/// <summary>A question of a host that takes this one for its name server, and the answers to it. Read strictly, as the messages of servers: what does not keep to the format in every byte gets no answer, or FORMERR.</summary>
public sealed class DnsRequest
{
    /// <summary>Seconds that an answer may be kept: the resolver behind has a cache of its own, whose entries know better.</summary>
    private const uint Lifetime = 30;

    /// <summary>The longest answer by UDP to who does not say what it takes (RFC 1035, 2.3.4).</summary>
    private const int PlainDatagram = 512;

    private const int OptionsLength = 11;
    private const ushort Response = 0x8000;
    private const ushort Truncated = 0x0200;
    private const ushort RecursionDesired = 0x0100;
    private const ushort RecursionAvailable = 0x0080;

    /// <summary>A pointer to the name in the question, which stands behind the header.</summary>
    private const ushort NameInQuestion = 0xC000 | DnsMessage.HeaderSize;

    private readonly ushort _id;
    private readonly ushort _flags;
    private readonly byte[] _question;
    private readonly bool _hasOptions;
    private readonly int _size;

    private DnsRequest(ushort id, ushort flags, byte[] question, DnsName name, DnsType type, bool hasOptions, int size) =>
        (_id, _flags, _question, Name, Type, _hasOptions, _size) = (id, flags, question, name, type, hasOptions, size);

    public DnsName Name { get; }

    /// <summary>May be one that <see cref="DnsType"/> does not have.</summary>
    public DnsType Type { get; }

    /// <summary>With <see cref="DnsType.Pointer"/>: the address whose name is wanted; null: the name is none of an address.</summary>
    public IpAddress? ReversedAddress => Type == DnsType.Pointer ? AddressOf(Name) : null;

    /// <summary>Reads a message. Never throws.</summary>
    /// <param name="refusal">With false: what to answer; null: nothing, as it is no question.</param>
    public static bool TryParse(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out DnsRequest? request, out byte[]? refusal)
    {
        request = null;
        refusal = null;
        var reader = new DnsReader(bytes);
        if (!reader.TryReadUInt16(out var id) || !reader.TryReadUInt16(out var flags) || (flags & Response) != 0
            || !reader.TryReadUInt16(out var questions) || !reader.TryReadUInt16(out var answers) || !reader.TryReadUInt16(out var authorities) || !reader.TryReadUInt16(out var additional))
            return false;
        if ((flags >> 11 & 0xF) != 0)
        {
            refusal = Head(id, flags, DnsResponseCode.NotImplemented);
            return false;
        }

        if (questions != 1 || answers != 0 || authorities != 0 || additional > 1
            || !reader.TryReadName(out var name, isPlain: true) || !reader.TryReadUInt16(out var type) || !reader.TryReadUInt16(out var @class))
        {
            refusal = Head(id, flags, DnsResponseCode.FormatError);
            return false;
        }

        var question = bytes[DnsMessage.HeaderSize..reader.Position].ToArray();
        var size = PlainDatagram;
        if (additional == 1)
        {
            if (!reader.TryReadRecord(out var head) || head.Type != DnsType.Options || !head.Owner.IsRoot || head.Length != reader.Left)
            {
                refusal = Head(id, flags, DnsResponseCode.FormatError);
                return false;
            }

            size = Math.Clamp((int)head.Class, PlainDatagram, DnsMessage.MaxDatagram);
        }
        else if (reader.Left != 0)
        {
            refusal = Head(id, flags, DnsResponseCode.FormatError);
            return false;
        }

        request = new DnsRequest(id, flags, question, name, (DnsType)type, additional == 1, size);
        if (@class == 1)
            return true;
        refusal = request.Refuse(DnsResponseCode.Refused);
        request = null;
        return false;
    }

    /// <summary>An answer without records.</summary>
    public byte[] Refuse(DnsResponseCode code) => Emit(code, [], int.MaxValue);

    /// <summary>The answer that a look-up has led to.</summary>
    /// <param name="addresses">Those of both families; the ones of the type are told.</param>
    /// <param name="name">With <see cref="DnsType.Pointer"/>: the name that was found.</param>
    /// <param name="isStream">By TCP, where there is room.</param>
    public byte[] Answer(LookupResult result, IReadOnlyList<IpAddress> addresses, string name, bool isStream)
    {
        var code = result switch
        {
            LookupResult.Found or LookupResult.NoData => DnsResponseCode.None,
            LookupResult.NoSuchName or LookupResult.NotAName => DnsResponseCode.NoSuchName,
            _ => DnsResponseCode.ServerFailure,
        };
        return Emit(code, result == LookupResult.Found ? DataOf(addresses, name) : [], isStream ? DnsMessage.MaxSize : _size);
    }

    private List<byte[]> DataOf(IReadOnlyList<IpAddress> addresses, string name)
    {
        if (Type == DnsType.Pointer)
            return DnsName.TryParse(name, out var target) ? [target.Wire.ToArray()] : [];
        var data = new List<byte[]>();
        foreach (var address in addresses.Where(each => each.IsV4 == (Type == DnsType.A)))
        {
            var bytes = new byte[address.Length];
            address.CopyTo(bytes);
            data.Add(bytes);
        }

        return data;
    }

    /// <summary>What has no room is left out, and the answer says so: the host asks again by TCP (RFC 2181, 9).</summary>
    private byte[] Emit(DnsResponseCode code, IReadOnlyList<byte[]> records, int room)
    {
        var options = _hasOptions ? OptionsLength : 0;
        var length = DnsMessage.HeaderSize + _question.Length + options;
        var fitting = 0;
        while (fitting < records.Count && fitting < ushort.MaxValue && length + 12 + records[fitting].Length <= room)
            length += 12 + records[fitting++].Length;
        var bytes = new byte[length];
        Head(_id, _flags, code).CopyTo(bytes, 0);
        if (fitting < records.Count)
            bytes[2] |= Truncated >> 8;
        bytes[5] = 1;
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(6), (ushort)fitting);
        bytes[11] = (byte)(_hasOptions ? 1 : 0);
        _question.CopyTo(bytes, DnsMessage.HeaderSize);
        var at = DnsMessage.HeaderSize + _question.Length;
        foreach (var data in records.Take(fitting))
        {
            var record = bytes.AsSpan(at);
            BinaryPrimitives.WriteUInt16BigEndian(record, NameInQuestion);
            BinaryPrimitives.WriteUInt16BigEndian(record[2..], (ushort)Type);
            record[5] = 1;
            BinaryPrimitives.WriteUInt32BigEndian(record[6..], Lifetime);
            BinaryPrimitives.WriteUInt16BigEndian(record[10..], (ushort)data.Length);
            data.CopyTo(record[12..]);
            at += 12 + data.Length;
        }

        if (_hasOptions)
        {
            BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(at + 1), (ushort)DnsType.Options);
            BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(at + 3), DnsMessage.MaxDatagram);
        }

        return bytes;
    }

    private static byte[] Head(ushort id, ushort flags, DnsResponseCode code)
    {
        var bytes = new byte[DnsMessage.HeaderSize];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, id);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), (ushort)(Response | (flags & 0x7800) | (flags & RecursionDesired) | RecursionAvailable | (int)code));
        return bytes;
    }

    /// <summary>The address of a name in in-addr.arpa or ip6.arpa that has all its labels.</summary>
    private static IpAddress? AddressOf(DnsName name)
    {
        var labels = name.ToString().ToLowerInvariant().TrimEnd('.').Split('.');
        string text;
        if (labels is [.., "in-addr", "arpa"] && labels.Length == 6)
            text = string.Join('.', labels.Take(4).Reverse());
        else if (labels is [.., "ip6", "arpa"] && labels.Length == 34 && labels.Take(32).All(static label => label.Length == 1))
            text = string.Join(':', labels.Take(32).Reverse().Chunk(4).Select(static group => string.Concat(group)));
        else
            return null;
        return IpAddress.TryParse(text, out var address) ? address : null;
    }
}
