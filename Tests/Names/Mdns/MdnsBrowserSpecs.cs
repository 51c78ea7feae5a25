using System.Text;
using Tapwire.Names;
using Tapwire.Names.Mdns;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Names.Mdns;

/// <summary>Looking for services (RFC 6763): what is found, what is asked for, and what bounds it.</summary>
public sealed class MdnsBrowserSpecs
{
    private static readonly DnsName Http = MdnsNames.Of("_http._tcp.local");
    private static readonly IpAddress Stranger = IpAddress.Parse("10.0.0.77");

    private readonly MdnsNetwork _network = new();

    [Fact]
    public void Types_and_instances_of_other_hosts_and_of_this_one_are_found()
    {
        var (asker, box, own) = (_network.Add(1), _network.Add(2), new MdnsService("ssh", true, 22));
        box.Publish("box", new MdnsService("http", true, 80), new MdnsService("dns", false, 53));
        asker.Publish("me", own);
        _network.RunUntil(() => box.Engine.State == MdnsState.Established && asker.Engine.State == MdnsState.Established);

        Assert.Equal(["_dns._udp", "_http._tcp", "_ssh._tcp"], asker.Browse(MdnsNames.AllServices).Select(static each => each.Name).Order());
        var http = Assert.Single(asker.Browse(Http));
        Assert.Equal(("box.local", (ushort)80), (http.Host!.ToString(), http.Port));
        Assert.Equal(new[] { box.V4, box.V6 }.ToHashSet(), http.Addresses.ToHashSet());
        var ssh = Assert.Single(asker.Browse(MdnsNames.Of("_ssh._tcp.local")));
        Assert.Equal(("me.local", (ushort)22), (ssh.Host!.ToString(), ssh.Port));
    }

    [Fact]
    public void A_name_keeps_its_letters_and_what_the_first_answer_leaves_out_is_asked_for()
    {
        var asker = _network.Add(1);
        byte[] instance = [9, .. "B\u00fcro 2.0"u8, .. Http.Wire];
        var name = DnsName.FromWire(instance);
        var host = MdnsNames.Of("printer.local");
        asker.Engine.Browse(1, Http, TimeSpan.FromSeconds(4), _network.Now);
        _network.Deliver();
        asker.Receive(Stranger, Response(instance));
        _network.RunUntil(() => Asks(asker, name, DnsType.Service) && Asks(asker, name, DnsType.Text));
        asker.Receive(Stranger, Records(MdnsRecord.OfService(name, 631, host), new MdnsRecord(name, DnsType.Text, true, 120, [4, .. "rp=x"u8, 0, 200, 1])));
        _network.RunUntil(() => Asks(asker, host, DnsType.A) && Asks(asker, host, DnsType.Aaaa));
        asker.Receive(Stranger, Records(MdnsRecord.OfAddress(host, Stranger), MdnsRecord.OfAddress(host, IpAddress.Parse("127.0.0.1"))));
        _network.RunUntil(() => asker.Browsed.Count > 0);
        var found = Assert.Single(asker.Browsed[0].Services);
        Assert.Equal(("B\u00fcro 2.0", "printer.local", (ushort)631), (found.Name, found.Host!.ToString(), found.Port));
        Assert.Equal([Stranger], found.Addresses);
        Assert.Equal(["rp=x"], found.Text);
    }

    [Fact]
    public void What_is_taken_back_is_not_found_and_nobody_answers_what_is_known()
    {
        var (asker, box) = (_network.Add(1), _network.Add(2));
        box.Publish("box", new MdnsService("http", true, 80));
        _network.RunUntil(() => box.Engine.State == MdnsState.Established);
        var answers = 0;
        _network.Loses = (from, sent) =>
        {
            answers += from == box && sent.Message.IsResponse ? 1 : 0;
            return false;
        };
        Assert.Single(asker.Browse(Http, 10));
        Assert.InRange(answers, 1, 2);
        asker.Engine.Browse(99, Http, TimeSpan.FromSeconds(5), _network.Now);
        _network.Deliver();
        _network.Run(TimeSpan.FromSeconds(1));
        box.Publish(null);
        _network.RunUntil(() => asker.Browsed.Count == 2);
        Assert.Empty(asker.Browsed[1].Services);
    }

    [Fact]
    public void Browsing_is_bounded_in_number_and_in_instances()
    {
        var asker = _network.Add(1);
        for (var i = 0; i <= MdnsBrowser.MaxBrowses; i++)
            asker.Engine.Browse(i, Http, TimeSpan.FromSeconds(5), _network.Now);
        _network.Deliver();
        Assert.Equal((MdnsBrowser.MaxBrowses, LookupResult.Busy), ((int)asker.Browsed[0].Number, asker.Browsed[0].Result));
        for (var i = 0; i < 2 * MdnsBrowser.MaxInstances; i++)
            asker.Receive(Stranger, Response([4, .. Encoding.ASCII.GetBytes($"{i:D4}"), .. Http.Wire]));
        _network.RunUntil(() => asker.Browsed.Count == 1 + MdnsBrowser.MaxBrowses);
        Assert.All(asker.Browsed.Skip(1), static browsed => Assert.Equal(MdnsBrowser.MaxInstances, browsed.Services.Count));
        Assert.True(asker.Counters.Full >= MdnsBrowser.MaxInstances);
    }

    [Fact]
    public void Who_looks_when_the_link_goes_has_what_was_found()
    {
        var asker = _network.Add(1);
        asker.Engine.Browse(1, Http, TimeSpan.FromSeconds(5), _network.Now);
        _network.Deliver();
        asker.Receive(Stranger, Response([1, (byte)'a', .. Http.Wire]));
        asker.Engine.Stop();
        _network.Deliver();
        Assert.Equal("a", Assert.Single(Assert.Single(asker.Browsed).Services).Name);
    }

    [Theory]
    [InlineData("http", "_http._tcp.local")]
    [InlineData("_ipp._tcp", "_ipp._tcp.local")]
    [InlineData("_dns._udp.local", "_dns._udp.local")]
    [InlineData("", null)]
    [InlineData("_", null)]
    [InlineData("_http._sctp", null)]
    [InlineData("a-name-of-16-let", null)]
    [InlineData("_http._tcp.example", null)]
    [InlineData("b\u00fcro", null)]
    public void A_type_of_services_may_be_written_shortly(string text, string? type)
    {
        Assert.Equal(type is not null, MdnsNames.TryParseServiceType(text, out var name));
        Assert.Equal(type, name?.ToString());
    }

    private static bool Asks(MdnsHost host, DnsName name, DnsType type) =>
        host.Sent.Exists(sent => sent.Message.Questions.Any(question => question.Name.Equals(name) && question.Type == type));

    /// <summary>A pointer to an instance, whose name is written as it is here.</summary>
    private static byte[] Response(byte[] instance) =>
    [
        0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, .. Http.Wire, 0, 12, 0, 1, 0, 0, 0x11, 0x94, (byte)(instance.Length >> 8), (byte)instance.Length, .. instance,
    ];

    private static byte[] Records(params MdnsRecord[] records)
    {
        var writer = new MdnsWriter(isResponse: true, 1452);
        foreach (var record in records)
            Assert.True(writer.TryAdd(record, MdnsSection.Answer));
        return writer.Message;
    }
}
