using Tapwire.Names;
using Tapwire.Names.Mdns;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Names;

/// <summary>Names that a resolver asks the links for, and no server (RFC 6762, 3 and 4).</summary>
public sealed class LinkNamesSpecs
{
    private static readonly IpAddress Found = IpAddress.Parse("10.0.0.9");

    private readonly ResolverHarness _h = new(new ResolverOptions { AsksLinks = true, Routes = [ResolverHarness.Route(".", "10.0.0.53")], Search = [ResolverHarness.Name("local")] });

    private static MulticastAnswer Answer(string name) => new(LookupResult.Found, [Found], ResolverHarness.Name(name));

    [Fact]
    public void A_name_in_local_is_asked_of_the_links_and_of_no_server()
    {
        var number = _h.Ask("Printer.local");
        Assert.Equal(("printer.local", DnsType.A), (_h.OfLinks[0].Name.ToString(), _h.OfLinks[0].Type));
        _h.ReplyOfLinks(Answer("printer.local"));
        Assert.Equal(("Printer.local", Found), (_h.AnswerOf(number).Name, Assert.Single(_h.AnswerOf(number).Addresses)));
        Assert.Empty(_h.Sent);
    }

    [Fact]
    public void A_name_in_local_is_looked_for_in_no_other_domain()
    {
        var h = new ResolverHarness(new ResolverOptions { AsksLinks = true, Routes = [ResolverHarness.Route(".", "10.0.0.53")], Search = [ResolverHarness.Name("example.org")] });
        var number = h.Ask("none.local");
        h.ReplyOfLinks(MulticastAnswer.Failed(LookupResult.NoSuchName));
        Assert.Equal(LookupResult.NoSuchName, h.AnswerOf(number).Result);
        Assert.Empty(h.Sent);
    }

    [Fact]
    public void What_the_links_keep_is_theirs_and_is_asked_for_again()
    {
        _h.Ask("printer.local");
        _h.ReplyOfLinks(Answer("printer.local"));
        _h.Ask("printer.local");
        Assert.Equal(2, _h.OfLinks.Count);
    }

    /// <summary>The family that has such an address says on which link it is, whoever has told the other.</summary>
    [Fact]
    public void A_link_local_address_comes_with_the_link_that_has_told_it()
    {
        var number = _h.Ask("printer.local", LookupKind.Addresses);
        var linkLocal = IpAddress.Parse("fe80::9");
        Assert.Equal([DnsType.A, DnsType.Aaaa], _h.OfLinks.Select(static asked => asked.Type));
        _h.Resolver.LinksAnswered(_h.OfLinks[0].Number, Answer("printer.local") with { Interface = 0 }, _h.Now);
        _h.ReplyOfLinks(Answer("printer.local") with { Addresses = [linkLocal], Interface = 3 });
        Assert.Equal(new[] { Found, linkLocal }, _h.AnswerOf(number).Addresses);
        Assert.Equal((byte?)3, _h.AnswerOf(number).Interface);
    }

    [Fact]
    public void A_short_name_is_looked_for_in_local_where_the_search_list_says_so()
    {
        var number = _h.Ask("printer");
        _h.ReplyOfLinks(Answer("printer.local"));
        Assert.Equal("printer.local", _h.AnswerOf(number).Name);
    }

    [Theory]
    [InlineData("169.254.1.2")]
    [InlineData("fe80::1")]
    public void The_name_of_a_link_local_address_is_a_matter_of_the_links(string address)
    {
        var number = _h.AskName(address);
        Assert.Equal(DnsType.Pointer, Assert.Single(_h.OfLinks).Type);
        _h.ReplyOfLinks(new MulticastAnswer(LookupResult.Found, [], ResolverHarness.Name("printer.local")));
        Assert.Equal("printer.local", _h.AnswerOf(number).Name);
        Assert.Empty(_h.Sent);
    }

    [Fact]
    public void A_server_that_the_settings_name_for_local_has_its_names()
    {
        var h = new ResolverHarness(new ResolverOptions { AsksLinks = true, Routes = [ResolverHarness.Route("local", "10.0.0.54")] });
        h.Ask("printer.local");
        Assert.Empty(h.OfLinks);
        Assert.Single(h.Sent);
    }

    [Fact]
    public void Without_multicast_there_is_no_such_name()
    {
        var h = new ResolverHarness();
        Assert.Equal(LookupResult.NoSuchName, h.AnswerOf(h.Ask("printer.local")).Result);
        Assert.Empty(h.OfLinks);
        Assert.Empty(h.Sent);
    }

    [Fact]
    public void An_alias_is_followed_within_the_links_a_few_times()
    {
        var number = _h.Ask("printer.local");
        for (var i = 0; i <= AnswerReading.MaxAliases; i++)
        {
            Assert.False(_h.HasEnded(number));
            _h.ReplyOfLinks(new MulticastAnswer(LookupResult.Found, [], ResolverHarness.Name($"a{i}.local"), IsAlias: true));
        }

        Assert.Equal(LookupResult.NoSuchName, _h.AnswerOf(number).Result);
    }

    [Fact]
    public void An_alias_of_a_name_elsewhere_is_none()
    {
        var number = _h.Ask("printer.local");
        _h.ReplyOfLinks(new MulticastAnswer(LookupResult.Found, [], ResolverHarness.Name("www.example.org"), IsAlias: true));
        Assert.Equal(LookupResult.NoSuchName, _h.AnswerOf(number).Result);
        Assert.Empty(_h.Sent);
    }

    [Fact]
    public void A_server_does_not_make_this_host_ask_the_links()
    {
        var number = _h.Ask("www.example.org.");
        _h.Reply(_h.Last, new ReplyBuilder(_h.Last.Message.Span).Alias("www.example.org", "printer.local"));
        Assert.Equal(LookupResult.NoSuchName, _h.AnswerOf(number).Result);
        Assert.Empty(_h.OfLinks);
    }

    [Fact]
    public void That_nobody_has_a_name_is_kept_for_a_second()
    {
        _h.Ask("none.local");
        _h.ReplyOfLinks(MulticastAnswer.Failed(LookupResult.NoSuchName));
        Assert.Equal(LookupResult.NoSuchName, _h.AnswerOf(_h.Ask("none.local.")).Result);
        Assert.Single(_h.OfLinks);
        _h.Advance(TimeSpan.FromSeconds(1.1));
        _h.Ask("none.local.");
        Assert.Equal(2, _h.OfLinks.Count);
    }

    [Fact]
    public void Links_that_never_answer_are_not_waited_for_for_ever()
    {
        var number = _h.Ask("none.local.");
        _h.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(LookupResult.TimedOut, _h.AnswerOf(number).Result);
    }
}
