using Tapwire.Names;
using Tapwire.Names.Mdns;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Hostile;
using Xunit;
using static Tapwire.Tests.Names.Mdns.MdnsNetwork;

namespace Tapwire.Tests.Names.Mdns;

/// <summary>Whoever is on the link can say anything to everybody: nothing that comes may cost more than it is worth.</summary>
public sealed class HostileMdnsSpec
{
    private static readonly IpAddress Attacker = IpAddress.Parse("10.0.0.66");

    private readonly MdnsNetwork _network = new();
    private readonly MdnsHost _box;

    public HostileMdnsSpec()
    {
        _box = _network.Add(1);
        _box.Publish("box", new MdnsService("http", IsTcp: true, 80), new MdnsService("echo", IsTcp: true, 7));
        _network.RunUntil(() => _box.Engine.State == MdnsState.Established);
        _network.Run(TimeSpan.FromSeconds(5));
    }

    [Theory]
    [InlineData("")]
    [InlineData("0000 0000 0001 0000 0000 00")]
    [InlineData("0000 0000 0001 0000 0000 0000 C00C 00FF 0001")] // a pointer to itself
    [InlineData("0000 0000 0001 0000 0000 0000 C00E C00C 00FF 0001")] // one to the next
    [InlineData("0000 0000 0001 0000 0000 0000 40 00 00FF 0001")] // a label longer than one may be
    [InlineData("0000 0000 FFFF FFFF FFFF FFFF")] // counts larger than the message
    [InlineData("0000 8400 0000 0001 0000 0000 00 0001 8001 00000078 0005 0A00000100")] // an address of five bytes
    [InlineData("0000 8400 0000 0001 0000 0000 00 0001 8001 00000078 0008 0A000001")] // data longer than the message
    [InlineData("0000 8400 0000 0001 0000 0000 00 0021 8001 00000078 0004 00000000")] // a service without a host
    [InlineData("0000 8400 0000 0000 0000 0000 00")] // something left over
    public void A_malformed_message_is_a_counted_drop(string hex)
    {
        var before = _box.Counters.Malformed;
        _box.Receive(Attacker, Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)));
        Assert.Equal(before + 1, _box.Counters.Malformed);
    }

    [Theory]
    [InlineData("0000 0800 0000 0000 0000 0000")]
    [InlineData("0000 8403 0000 0000 0000 0000")]
    public void Another_opcode_and_a_response_code_are_ignored(string hex)
    {
        _box.Receive(Attacker, Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)));
        Assert.Equal((0L, 1L), (_box.Counters.Malformed, _box.Counters.Foreign));
    }

    [Fact]
    public void A_message_longer_than_one_may_be_is_none()
    {
        _box.Receive(Attacker, new byte[65507]);
        _box.Receive(Attacker, new byte[9001]);
        Assert.Equal(2, _box.Counters.Malformed);
    }

    /// <summary>RFC 6762, 10.2, and what a cache must hold out: names that nobody has asked for do not get in, and those that somebody has are bounded.</summary>
    [Fact]
    public void A_flood_of_names_fills_nothing()
    {
        for (var i = 0; i < 10_000; i++)
            _box.Receive(Attacker, Response(Address($"flood-{i}.local", "10.0.0.66")));
        Assert.Equal(0, _box.Engine.Cached);
        for (var i = 0; i < 64; i++)
        {
            _box.Ask($"asked-{i}.local", DnsType.A);
            for (var j = 0; j < 100; j++)
                _box.Receive(Attacker, Response(Address($"asked-{i}.local", $"10.0.1.{j + 1}", isUnique: false)));
        }

        Assert.InRange(_box.Engine.Cached, 1, MdnsCache.MaxRecords);
        Assert.NotEqual(0, _box.Counters.Full);
        Assert.Equal(["box"], _box.Established);
    }

    /// <summary>Everything that can be asked, as fast as it can be asked: what goes out in a second is bounded, in messages and in bytes.</summary>
    [Fact]
    public void A_flood_of_questions_is_no_lever()
    {
        string[] names = ["box.local", "_http._tcp.local", "_echo._tcp.local", "box._http._tcp.local", "_services._dns-sd._udp.local", "1.0.0.10.in-addr.arpa"];
        _box.Sent.Clear();
        var bytesIn = 0L;
        for (var i = 0; i < 20_000; i++)
        {
            var query = Query(names[i % names.Length], i % 3 == 0 ? DnsType.Any : DnsType.Pointer, wantsUnicast: i % 2 == 0, isTruncated: i % 5 == 0,
                claims: i % 7 == 0 ? [Address("box.local", "10.0.0.66")] : null);
            bytesIn += query.Length;
            _box.Receive(i % 4 == 0 ? IpAddress.Parse("fe80::66") : Attacker, query, port: (ushort)(i % 11 == 0 ? 40000 : MdnsLink.Port));
            _network.Run(TimeSpan.FromMilliseconds(0.5));
        }

        // Ten seconds: single askers, and the groups of both families.
        Assert.InRange(_box.Sent.Count, 1, 3 * 11 * MdnsOutput.AnswersPerSecond);
        Assert.InRange(_box.Sent.Sum(static sent => (long)sent.Length), 1, bytesIn);
    }

    /// <summary>A million messages that are nearly good, beside questions that have to be answered.</summary>
    [Fact]
    public void Mutated_messages_break_nothing()
    {
        const int Count = 1_000_000;
        var random = new SeededRandom(2026);
        var host = ResolverHarness.Name("box.local");
        byte[][] seeds =
        [
            Query("box.local", DnsType.Any, claims: [Address("box.local", "10.0.0.66")]),
            Query("_http._tcp.local", DnsType.Pointer, known: [MdnsRecord.OfPointer(ResolverHarness.Name("_http._tcp.local"), ResolverHarness.Name("box._http._tcp.local"), isUnique: false)], isTruncated: true),
            Response(Address("box.local", "10.0.0.66"), MdnsRecord.OfTypes(host, 120, DnsType.A), MdnsRecord.OfService(ResolverHarness.Name("box._http._tcp.local"), 80, host)),
            Response(MdnsRecord.OfPointer(MdnsNames.AllServices, ResolverHarness.Name("_http._tcp.local"), isUnique: false).With(0, isUnique: false), MdnsRecord.OfNoText(host)),
            Response(Address("peer.local", "10.0.0.66"), Address("peer.local", "fe80::66"), MdnsRecord.OfTypes(ResolverHarness.Name("peer.local"), 120, DnsType.A, DnsType.Aaaa)),
        ];
        var parsed = 0;
        for (var i = 0; i < Count; i++)
        {
            var message = seeds[random.Next(seeds.Length)].AsSpan().ToArray();
            for (var changes = random.Next(4); changes > 0; changes--)
                message[random.Next(message.Length)] = random.OneIn(4) ? (byte)0xC0 : (byte)random.Next(256);
            if (random.OneIn(8))
                message = message[..random.Next(message.Length)];
            parsed += MdnsMessage.TryParse(message, out _, out _) ? 1 : 0;
            if (i % 10 != 0)
                continue;
            _box.Engine.Received(new IpEndpoint(random.OneIn(3) ? IpAddress.Parse("fe80::66") : Attacker, random.OneIn(5) ? (ushort)40000 : MdnsLink.Port),
                random.OneIn(6) ? _box.V4 : MdnsLink.GroupV4, message, _network.Now);
            if (i % 1000 == 0)
                _box.Ask($"n{i % 7000}.local", i % 2000 == 0 ? DnsType.A : DnsType.Aaaa);
            _network.Deliver();
            _network.Run(TimeSpan.FromMilliseconds(1));
        }

        Assert.InRange(parsed, Count / 20, Count);
        Assert.InRange(_box.Engine.Cached, 0, MdnsCache.MaxRecords);
        Assert.Equal(Count / 10, _box.Counters.Received - _box.Sent.Sum(static sent => sent.To is null ? System.Numerics.BitOperations.PopCount((uint)sent.Families) : 0));
        // A hundred seconds of virtual time.
        Assert.InRange(_box.Sent.Count, 1, 100 * 3 * MdnsOutput.AnswersPerSecond);
        _network.Run(TimeSpan.FromMinutes(1));
        Assert.Equal(MdnsState.Established, _box.Engine.State);
        Assert.Equal(0, _box.Engine.QuestionCount);
        _box.Sent.Clear();
        _box.Receive(Attacker, Query($"{_box.Engine.Label}.local", DnsType.A));
        _network.Run(TimeSpan.FromSeconds(1));
        Assert.Equal(_box.V4, _box.Sent[0].Message.Answers[0].Address);
    }
}
