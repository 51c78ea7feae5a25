using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Ip;

namespace Tapwire.Names;

/// <summary>Types of records (RFC 1035, 3.2.2; RFC 3596; RFC 2782; RFC 4034; RFC 6891).</summary>
public enum DnsType : ushort
{
    A = 1,
    CanonicalName = 5,
    StartOfAuthority = 6,
    Pointer = 12,
    Text = 16,
    Aaaa = 28,

    /// <summary>SRV.</summary>
    Service = 33,
    Options = 41,

    /// <summary>NSEC.</summary>
    NextSecure = 47,

    /// <summary>Of a question: all types.</summary>
    Any = 255,
}

/// <summary>What a server says of a question (RFC 1035, 4.1.1; RFC 6891, 9).</summary>
public enum DnsResponseCode
{
    None = 0,
    FormatError = 1,
    ServerFailure = 2,
    NoSuchName = 3,
    NotImplemented = 4,
    Refused = 5,
    BadVersion = 16,
}

/// <summary>A record of class IN of one of <see cref="DnsType"/>.</summary>
/// <param name="Lifetime">Seconds that it may be kept (RFC 2181, 8).</param>
/// <param name="Address">Of <see cref="DnsType.A"/> and <see cref="DnsType.Aaaa"/>.</param>
/// <param name="Target">Of <see cref="DnsType.CanonicalName"/> and <see cref="DnsType.Pointer"/>.</param>
/// <param name="NegativeLifetime">Of <see cref="DnsType.StartOfAuthority"/>: seconds that "there is none" may be kept (RFC 2308, 4).</param>
public readonly record struct DnsRecord(DnsName Owner, DnsType Type, uint Lifetime, IpAddress Address = default, DnsName? Target = null, uint NegativeLifetime = 0);

/// <summary>A message of a server, read strictly: what does not keep to the format in every byte is none. Types that no look-up needs are skipped.</summary>
public sealed class DnsMessage
{
    /// <summary>Bytes before the question.</summary>
    public const int HeaderSize = 12;

    /// <summary>The longest message, by TCP (RFC 1035, 4.2.2).</summary>
    public const int MaxSize = ushort.MaxValue;

    /// <summary>The longest that comes by UDP: no fragments on any usual path (RFC 9715; DNS flag day 2020).</summary>
    public const int MaxDatagram = 1232;

    private readonly byte[] _question;

    private DnsMessage(byte[] question) => _question = question;

    public ushort Id { get; private init; }

    public bool IsResponse { get; private init; }

    public int Opcode { get; private init; }

    /// <summary>TC: the rest did not fit. Then nothing after the question has been read.</summary>
    public bool IsTruncated { get; private init; }

    /// <summary>AA.</summary>
    public bool IsAuthoritative { get; private init; }

    /// <summary>RA.</summary>
    public bool OffersRecursion { get; private init; }

    public DnsResponseCode Code { get; private set; }

    /// <summary>The question as it stands in the message: name, type and class. Empty if there is none.</summary>
    internal ReadOnlySpan<byte> Question => _question;

    public IReadOnlyList<DnsRecord> Answers { get; private set; } = [];

    public IReadOnlyList<DnsRecord> Authority { get; private set; } = [];

    /// <summary>Whether the server knows EDNS(0).</summary>
    public bool HasOptions { get; private set; }

    /// <summary>Reads a message with at most one question. Never throws.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out DnsMessage? message)
    {
        message = null;
        var reader = new DnsReader(bytes);
        if (bytes.Length > MaxSize || !reader.TryReadUInt16(out var id) || !reader.TryReadUInt16(out var flags) || !reader.TryReadUInt16(out var questions)
            || !reader.TryReadUInt16(out var answers) || !reader.TryReadUInt16(out var authorities) || !reader.TryReadUInt16(out var additional) || questions > 1)
            return false;
        if (questions == 1 && (!reader.TryReadName(out _, isPlain: true) || !reader.TryReadUInt16(out _) || !reader.TryReadUInt16(out _)))
            return false;
        var read = new DnsMessage(bytes[HeaderSize..reader.Position].ToArray())
        {
            Id = id,
            IsResponse = (flags & 0x8000) != 0,
            Opcode = (flags >> 11) & 0xF,
            IsAuthoritative = (flags & 0x0400) != 0,
            IsTruncated = (flags & 0x0200) != 0,
            OffersRecursion = (flags & 0x0080) != 0,
            Code = (DnsResponseCode)(flags & 0xF),
        };
        // What has been cut may have been cut anywhere.
        if (!read.IsTruncated && !read.TryReadRecords(ref reader, answers, authorities, additional))
            return false;
        message = read;
        return true;
    }

    private bool TryReadRecords(ref DnsReader reader, int answers, int authorities, int additional)
    {
        // The shortest record has 11 bytes, so that no count promises more work than there are bytes.
        if (((long)answers + authorities + additional) * 11 > reader.Left)
            return false;
        var answer = new List<DnsRecord>(answers);
        var authority = new List<DnsRecord>(authorities);
        if (!TryReadSection(ref reader, answers, answer) || !TryReadSection(ref reader, authorities, authority) || !TryReadSection(ref reader, additional, null) || reader.Left != 0)
            return false;
        (Answers, Authority) = (answer, authority);
        return true;
    }

    private bool TryReadSection(ref DnsReader reader, int count, List<DnsRecord>? records)
    {
        for (; count > 0; count--)
        {
            if (!reader.TryReadRecord(out var head) || (head.Type == DnsType.Options && (records is not null || !TryTakeOptions(head))))
                return false;
            if (!reader.TryReadData(head, out var record))
                return false;
            if (head.IsInternet && record is { } known)
                records?.Add(known);
        }

        return true;
    }

    /// <summary>The pseudo-record: there is one at most, its name is the root, and it has eight more bits of the code (RFC 6891, 6.1).</summary>
    private bool TryTakeOptions(in DnsReader.RecordHead head)
    {
        if (HasOptions || !head.Owner.IsRoot)
            return false;
        HasOptions = true;
        Code = (DnsResponseCode)((int)Code | (int)(head.Lifetime >> 24 << 4));
        return true;
    }
}
