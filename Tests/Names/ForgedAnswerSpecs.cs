using Tapwire.Names;
using Tapwire.Stack.Ip;
using Xunit;
using static Tapwire.Tests.Names.ResolverHarness;

namespace Tapwire.Tests.Names;

/// <summary>Answers that are none of the server's (RFC 5452): each is ignored, and the true one still counts.</summary>
public sealed class ForgedAnswerSpecs
{
    private const string Asked = "www.example.org";

    private readonly ResolverHarness _h = new();

    public static TheoryData<string> Forgeries => ["id", "address", "port", "name", "type", "class", "no question", "question", "opcode", "cases", "garbage", "empty", "trailing", "two questions"];

    private static ReplyBuilder Evil(ExchangeBegins exchange) => new ReplyBuilder(exchange.Message.Span).Address(Asked, "198.51.100.66");

    private static ReplyBuilder True(ExchangeBegins exchange) => new ReplyBuilder(exchange.Message.Span).Address(Asked, "192.0.2.1");

    [Theory]
    [MemberData(nameof(Forgeries))]
    public void A_forged_answer_is_ignored(string kind)
    {
        var number = _h.Ask(Asked);
        Forge(_h.Last, kind);
        Assert.False(_h.HasEnded(number));
        if (kind == "cases")
            Assert.Equal(1, _h.Resolver.Counters.CasesLost);
        else
            Assert.Equal(1, _h.Resolver.Counters.Strangers);
        _h.Reply(_h.Last, True(_h.Last));
        Assert.Equal("192.0.2.1", Assert.Single(_h.AnswerOf(number).Addresses).ToString());
    }

    [Fact]
    public void Records_of_other_names_in_a_true_answer_are_not_believed()
    {
        var number = _h.Ask(Asked);
        _h.Reply(_h.Last, True(_h.Last).Address("bank.example", "198.51.100.66").Alias("other.example", "evil.example"));
        Assert.Single(_h.AnswerOf(number).Addresses);
        Assert.False(_h.HasEnded(_h.Ask("bank.example")));
        Assert.False(_h.HasEnded(_h.Ask("other.example")));
    }

    [Fact]
    public void Where_somebody_guesses_the_question_goes_on_by_TCP()
    {
        var number = _h.Ask(Asked);
        var first = _h.Last;
        for (var i = 0; i < 8; i++)
            Forge(first, "id");
        Assert.Equal(DnsTransport.Tcp, _h.Last.Transport);
        Assert.DoesNotContain(first.Exchange, _h.Open);

        // Even the right guess comes too late.
        _h.Reply(first, Evil(first));
        Assert.False(_h.HasEnded(number));
        _h.Reply(_h.Last, True(_h.Last));
        Assert.Equal("192.0.2.1", Assert.Single(_h.AnswerOf(number).Addresses).ToString());
    }

    [Fact]
    public void The_case_of_letters_is_chosen_anew_for_each_question()
    {
        _h.Ask("abcdefghijklmnopqrstuvwxyz.example");
        _h.Advance(TimeSpan.FromSeconds(5));
        var (one, other) = (_h.Sent[0].Message.Span[12..40].ToArray(), _h.Sent[1].Message.Span[12..40].ToArray());
        Assert.NotEqual(one, other);
        Assert.Contains(one, static c => c is >= (byte)'A' and <= (byte)'Z');
        Assert.Contains(one, static c => c is >= (byte)'a' and <= (byte)'z');
    }

    [Fact]
    public void A_server_that_does_not_keep_cases_is_believed_by_TCP_and_asked_in_lower_case_from_then_on()
    {
        var number = _h.Ask(Asked);
        Forge(_h.Last, "cases");
        Assert.Equal(DnsTransport.Tcp, _h.Last.Transport);
        Forge(_h.Last, "cases");
        Assert.Equal(LookupResult.Found, _h.AnswerOf(number).Result);
        _h.Ask("Other.EXAMPLE.org");
        Assert.Equal(DnsTransport.Udp, _h.Last.Transport);
        Assert.DoesNotContain(_h.Last.Message.Span[12..^15].ToArray(), static c => c is >= (byte)'A' and <= (byte)'Z');
        _h.Reply(_h.Last, new ReplyBuilder(_h.Last.Message.Span));
        Assert.Equal(1, _h.Resolver.Counters.CasesLost);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_server_that_keeps_no_cases_and_has_no_TCP_is_asked_in_lower_case(bool refuses)
    {
        var number = _h.Ask(Asked);
        Forge(_h.Last, "cases");
        if (refuses)
            _h.Fail(_h.Last);
        else
            _h.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(DnsTransport.Udp, _h.Last.Transport);
        _h.Reply(_h.Last, True(_h.Last));
        Assert.Equal(LookupResult.Found, _h.AnswerOf(number).Result);
    }

    [Fact]
    public void A_canonical_name_that_no_host_can_have_is_not_given_to_applications()
    {
        var number = _h.Ask(Asked);
        byte[] shell = [6, .. "a;b`$("u8, 0];
        var reply = new ReplyBuilder(_h.Last.Message.Span).Record(1, Asked, DnsType.CanonicalName, 300, shell).Build();
        reply[7]++;
        _h.Reply(_h.Last, [.. reply, .. shell, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1]);
        Assert.Equal(LookupResult.ServerFailure, _h.AnswerOf(number).Result);
    }

    [Fact]
    public void An_IPv4_address_in_an_IPv6_one_is_none()
    {
        var number = _h.Ask(Asked, LookupKind.AddressesV6);
        _h.Reply(_h.Last, new ReplyBuilder(_h.Last.Message.Span).Record(1, Asked, DnsType.Aaaa, 300, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 127, 0, 0, 1]));
        Assert.Equal(LookupResult.NoData, _h.AnswerOf(number).Result);
    }

    private void Forge(ExchangeBegins exchange, string kind)
    {
        var evil = Evil(exchange);
        var from = exchange.Server;
        var bytes = default(byte[]);
        switch (kind)
        {
            case "id":
                evil.Id ^= 1;
                break;
            case "address":
                from = new IpEndpoint(IpAddress.Parse("10.0.0.54"), 53);
                break;
            case "port":
                from = new IpEndpoint(exchange.Server.Address, 54);
                break;
            case "name":
                evil.Question[1] ^= 3;
                break;
            case "type":
                evil.Question[^3] ^= 28;
                break;
            case "class":
                evil.Question[^1] = 3;
                break;
            case "no question":
                evil.Question = [];
                break;
            case "question":
                evil.Flags &= 0x7FFF;
                break;
            case "opcode":
                evil.Flags |= 0x2000;
                break;
            case "cases":
                evil.Question = [.. Name(Asked).Wire, .. evil.Question.AsSpan(^4)];
                evil.Question[1] = (byte)(exchange.Message.Span[13] ^ 0x20);
                break;
            case "garbage":
                bytes = [.. evil.Build().AsSpan(0, 20), 0xC0, 0xFF, 1, 2, 3];
                break;
            case "empty":
                bytes = [];
                break;
            case "trailing":
                bytes = [.. evil.Build(), 0];
                break;
            case "two questions":
                bytes = evil.Build();
                bytes[5] = 2;
                break;
        }

        _h.Reply(exchange, bytes ?? evil.Build(), from);
    }
}
