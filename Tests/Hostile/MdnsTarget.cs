using Tapwire.Names;
using Tapwire.Names.Mdns;
using Tapwire.Tests.Names;
using Tapwire.Tests.Names.Mdns;
using static Tapwire.Tests.Hostile.HostileException;

namespace Tapwire.Tests.Hostile;

/// <summary>Messages of multicast DNS: what was read of one can be written, and is the same when it is read again.</summary>
internal static class MdnsTarget
{
    public static byte[][] Seeds =>
    [
        MdnsNetwork.Query("box.local", DnsType.Any, wantsUnicast: true, claims: [MdnsNetwork.Address("box.local", "10.0.0.1"), MdnsNetwork.Address("box.local", "fe80::1")]),
        MdnsNetwork.Query("_http._tcp.local", DnsType.Pointer, known: [MdnsRecord.OfPointer(MdnsNames.AllServices, ResolverHarness.Name("_http._tcp.local"), isUnique: false)], isTruncated: true),
        MdnsNetwork.Response(MdnsRecord.OfService(ResolverHarness.Name("box._http._tcp.local"), 80, ResolverHarness.Name("box.local")), MdnsRecord.OfNoText(ResolverHarness.Name("box.local")),
            MdnsRecord.OfTypes(ResolverHarness.Name("box.local"), 120, DnsType.A, DnsType.Aaaa)),
    ];

    public static void Check(Span<byte> input)
    {
        if (!MdnsMessage.TryParse(input, out var message, out _))
            return;
        var writer = new MdnsWriter(message.IsResponse, ushort.MaxValue, id: message.Id);
        foreach (var question in message.Questions)
            Require(writer.TryAsk(question), "A question has no room.");
        var records = message.Answers.Concat(message.Additional).ToList();
        foreach (var record in records)
        {
            Require(writer.TryAdd(record, MdnsSection.Answer), "A record has no room.");
            if (record.Type == DnsType.NextSecure)
                _ = (record.HasType(DnsType.A), record.HasType(DnsType.Any), record.HasType((DnsType)0x1234));
        }

        // Names that were compressed are longer now, and a message of many may be too long for one.
        if (writer.Message.Length > MdnsMessage.MaxSize)
            return;
        var isRead = MdnsMessage.TryParse(writer.Message, out var again, out _);
        Require(isRead, "What was read cannot be read after it was written.");
        Require(again!.Questions.SequenceEqual(message.Questions), "The questions differ.");
        Require(again.Answers.Count == records.Count && again.Answers.Zip(records).All(static pair => pair.First.IsSame(pair.Second) && pair.First.Lifetime == pair.Second.Lifetime), "The records differ.");
    }
}
