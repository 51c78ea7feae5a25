using System.Diagnostics.CodeAnalysis;

namespace Tapwire.Names.Mdns;

/// <param name="WantsUnicast">The QU bit: an answer may come to the asker alone (RFC 6762, 5.4).</param>
internal readonly record struct MdnsQuestion(DnsName Name, DnsType Type, bool WantsUnicast)
{
    public bool IsAnsweredBy(MdnsRecord record) => (Type == record.Type || Type == DnsType.Any) && Name.Equals(record.Owner);
}

/// <summary>A message of multicast DNS (RFC 6762, 18), read strictly: what does not keep to the format in every byte is none.</summary>
internal sealed class MdnsMessage
{
    /// <summary>The longest message with its headers (RFC 6762, 17).</summary>
    public const int MaxSize = 9000;

    /// <summary>The bit of a class that means QU in a question, and cache-flush in a record.</summary>
    public const ushort TopBit = 0x8000;

    public const ushort Internet = 1;

    /// <summary>Of a question: any class.</summary>
    private const ushort AnyClass = 255;

    /// <summary>Bytes of the shortest record and of the shortest question, so that no count promises more work than there are bytes.</summary>
    private const int LeastRecord = 11;

    private const int LeastQuestion = 5;

    private MdnsMessage()
    {
    }

    public ushort Id { get; private init; }

    public bool IsResponse { get; private init; }

    /// <summary>Of a question: more known answers follow (RFC 6762, 7.2).</summary>
    public bool IsTruncated { get; private init; }

    public IReadOnlyList<MdnsQuestion> Questions { get; private set; } = [];

    public IReadOnlyList<MdnsRecord> Answers { get; private set; } = [];

    /// <summary>Of a probe: what the asker wants to have (RFC 6762, 8.2).</summary>
    public IReadOnlyList<MdnsRecord> Authority { get; private set; } = [];

    public IReadOnlyList<MdnsRecord> Additional { get; private set; } = [];

    /// <summary>Reads a message. Never throws.</summary>
    /// <param name="isForeign">With false: the format is right, but the opcode or the response code is not 0, and such a message is to be ignored (RFC 6762, 18.3, 18.11).</param>
    public static bool TryParse(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out MdnsMessage? message, out bool isForeign)
    {
        message = null;
        isForeign = false;
        var reader = new DnsReader(bytes);
        if (bytes.Length > MaxSize || !reader.TryReadUInt16(out var id) || !reader.TryReadUInt16(out var flags) || !reader.TryReadUInt16(out var questions)
            || !reader.TryReadUInt16(out var answers) || !reader.TryReadUInt16(out var authorities) || !reader.TryReadUInt16(out var additional))
            return false;
        isForeign = (flags & 0x780F) != 0;
        if (isForeign || (((long)answers + authorities + additional) * LeastRecord) + (questions * LeastQuestion) > reader.Left)
            return false;
        var read = new MdnsMessage { Id = id, IsResponse = (flags & 0x8000) != 0, IsTruncated = (flags & 0x0200) != 0 };
        if (!TryReadQuestions(ref reader, questions, out var asked) || !TryReadSection(ref reader, answers, out var answer) || !TryReadSection(ref reader, authorities, out var authority)
            || !TryReadSection(ref reader, additional, out var more) || reader.Left != 0)
            return false;
        (read.Questions, read.Answers, read.Authority, read.Additional) = (asked, answer, authority, more);
        message = read;
        return true;
    }

    private static bool TryReadQuestions(ref DnsReader reader, int count, out List<MdnsQuestion> questions)
    {
        questions = new List<MdnsQuestion>(count);
        for (; count > 0; count--)
        {
            if (!reader.TryReadName(out var name) || !reader.TryReadUInt16(out var type) || !reader.TryReadUInt16(out var @class))
                return false;
            if ((@class & ~TopBit) is Internet or AnyClass)
                questions.Add(new MdnsQuestion(name, (DnsType)type, (@class & TopBit) != 0));
        }

        return true;
    }

    private static bool TryReadSection(ref DnsReader reader, int count, out List<MdnsRecord> records)
    {
        records = new List<MdnsRecord>(count);
        for (; count > 0; count--)
        {
            if (!reader.TryReadRecord(out var head) || !MdnsRecord.TryRead(ref reader, head, out var record))
                return false;
            if (record is not null)
                records.Add(record);
        }

        return true;
    }
}
