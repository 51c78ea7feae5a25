using System.Buffers.Binary;
using Tapwire.Names;
using Tapwire.Stack.Ip;

namespace Tapwire.Tests.Names;

/// <summary>Writes what a server answers. Whatever is added comes in this order; nothing is checked, so that wrong answers can be written, too.</summary>
internal sealed class ReplyBuilder
{
    private readonly List<byte> _bytes = [];
    private readonly int[] _counts = new int[4];

    public ReplyBuilder(ReadOnlySpan<byte> query)
    {
        Id = BinaryPrimitives.ReadUInt16BigEndian(query);
        var end = DnsMessage.HeaderSize;
        while (query[end] != 0)
            end += 1 + query[end];
        Question = query[DnsMessage.HeaderSize..(end + 5)].ToArray();
    }

    public ushort Id { get; set; }

    /// <summary>Empty: none.</summary>
    public byte[] Question { get; set; }

    public DnsResponseCode Code { get; set; }

    /// <summary>QR, RD and RA.</summary>
    public ushort Flags { get; set; } = 0x8180;

    public bool IsTruncated { get; set; }

    /// <summary>The name of a question, in lower case.</summary>
    public static string NameOf(ReadOnlySpan<byte> query)
    {
        var reader = new DnsReader(query[DnsMessage.HeaderSize..]);
        return reader.TryReadName(out var name) ? name.ToString() : "";
    }

    public static DnsType TypeOf(ReadOnlySpan<byte> query)
    {
        var question = new ReplyBuilder(query).Question;
        return (DnsType)BinaryPrimitives.ReadUInt16BigEndian(question.AsSpan(question.Length - 4));
    }

    public ReplyBuilder Address(string owner, string address, uint lifetime = 300)
    {
        var parsed = System.Net.IPAddress.Parse(address).GetAddressBytes();
        return Record(1, owner, parsed.Length == 4 ? DnsType.A : DnsType.Aaaa, lifetime, parsed);
    }

    public ReplyBuilder Alias(string owner, string target, uint lifetime = 300) => Record(1, owner, DnsType.CanonicalName, lifetime, Wire(target));

    public ReplyBuilder Pointer(string owner, string target, uint lifetime = 300) => Record(1, owner, DnsType.Pointer, lifetime, Wire(target));

    public ReplyBuilder Zone(string owner, uint minimum, uint lifetime = 3600)
    {
        var numbers = new byte[20];
        BinaryPrimitives.WriteUInt32BigEndian(numbers.AsSpan(16), minimum);
        return Record(2, owner, DnsType.StartOfAuthority, lifetime, [.. Wire("ns"), .. Wire("admin"), .. numbers]);
    }

    /// <summary>An OPT record.</summary>
    public ReplyBuilder Options(byte highCode = 0)
    {
        _counts[3]++;
        _bytes.AddRange([0, 0, 41, 0x04, 0xD0, highCode, 0, 0, 0, 0, 0]);
        return this;
    }

    public ReplyBuilder Record(int section, string owner, DnsType type, uint lifetime, byte[] data, ushort @class = 1)
    {
        _counts[section]++;
        _bytes.AddRange(Wire(owner));
        Span<byte> head = stackalloc byte[10];
        BinaryPrimitives.WriteUInt16BigEndian(head, (ushort)type);
        BinaryPrimitives.WriteUInt16BigEndian(head[2..], @class);
        BinaryPrimitives.WriteUInt32BigEndian(head[4..], lifetime);
        BinaryPrimitives.WriteUInt16BigEndian(head[8..], (ushort)data.Length);
        _bytes.AddRange(head);
        _bytes.AddRange(data);
        return this;
    }

    public byte[] Build()
    {
        var head = new byte[DnsMessage.HeaderSize];
        BinaryPrimitives.WriteUInt16BigEndian(head, Id);
        BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(2), (ushort)(Flags | (ushort)Code & 0xF | (IsTruncated ? 0x0200 : 0)));
        _counts[0] = Question.Length == 0 ? 0 : 1;
        for (var i = 0; i < 4; i++)
            BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(4 + (2 * i)), (ushort)_counts[i]);
        return [.. head, .. Question, .. _bytes];
    }

    private static byte[] Wire(string name) => DnsName.TryParse(name, out var parsed) ? parsed.Wire.ToArray() : [0];
}

/// <summary>A server that knows some names, and of all others that there are none.</summary>
internal sealed class FakeZone
{
    /// <summary>Names with their addresses. A name without any has no address.</summary>
    public Dictionary<string, string[]> Hosts { get; } = [];

    /// <summary>Names of addresses, by the name in arpa.</summary>
    public Dictionary<string, string> Pointers { get; } = [];

    /// <summary>Answers of UDP that are longer are truncated.</summary>
    public int MaxDatagram { get; set; } = DnsMessage.MaxDatagram;

    public byte[] Answer(ReadOnlySpan<byte> query, bool isStream = false)
    {
        var name = ReplyBuilder.NameOf(query);
        var type = ReplyBuilder.TypeOf(query);
        var reply = new ReplyBuilder(query);
        if (Pointers.TryGetValue(name, out var target))
            reply.Pointer(name, target);
        else if (Hosts.TryGetValue(name, out var addresses))
            AddAddresses(reply, name, type, addresses);
        else
            (reply.Code, _) = (DnsResponseCode.NoSuchName, reply.Zone("", 60));
        var whole = reply.Options().Build();
        return isStream || whole.Length <= MaxDatagram ? whole : new ReplyBuilder(query) { IsTruncated = true }.Build();
    }

    private static void AddAddresses(ReplyBuilder reply, string name, DnsType type, string[] addresses)
    {
        var any = false;
        foreach (var address in addresses.Where(address => address.Contains(':', StringComparison.Ordinal) == (type == DnsType.Aaaa)))
        {
            reply.Address(name, address);
            any = true;
        }

        if (!any)
            reply.Zone("", 60);
    }
}
