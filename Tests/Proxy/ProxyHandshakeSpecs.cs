using System.Text;
using Tapwire.Proxy;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Proxy;

/// <summary>The server's side of both protocols, without a socket.</summary>
public sealed class ProxyHandshakeSpecs
{
    private static readonly ProxyUser User = new("me", "secret");
    private static readonly byte[] Request = [5, 1, 0, 1, 10, 99, 0, 1, 0, 80];

    [Fact]
    public void Without_a_user_a_client_is_let_in_and_asks()
    {
        var talk = new Talk(null);
        talk.Say(5, 2, 0, 2);
        Assert.Equal([5, 0], talk.Answer);
        talk.Say(Request);
        Assert.Equal("10.99.0.1:80", talk.Step.Request!.Destination.ToString());
        Assert.Equal(SocksCommand.Connect, talk.Step.Request.Command);
    }

    [Fact]
    public void A_client_that_says_everything_at_once_and_one_that_says_byte_by_byte_get_the_same()
    {
        byte[] all = [5, 1, 2, 1, 2, .. "me"u8, 6, .. "secret"u8, .. Request];
        var atOnce = new Talk(User);
        atOnce.Say([.. all, .. "data of the connection"u8]);
        Assert.Equal([5, 2, 1, 0], atOnce.Answer);
        Assert.NotNull(atOnce.Step.Request);
        Assert.Equal("data of the connection", atOnce.Left);

        var slowly = new Talk(User);
        foreach (var octet in all)
        {
            Assert.Null(slowly.Step.Request);
            slowly.Say(octet);
        }

        Assert.Equal([5, 2, 1, 0], slowly.Answer);
        Assert.Equal(atOnce.Step.Request, slowly.Step.Request);
    }

    [Theory]
    [InlineData("me", "wrong")]
    [InlineData("you", "secret")]
    [InlineData("", "")]
    [InlineData("mesecre", "t")]
    public void A_wrong_login_is_refused_and_no_request_is_heard(string name, string password)
    {
        var talk = new Talk(User);
        talk.Say([5, 1, 2, 1, (byte)name.Length, .. Encoding.ASCII.GetBytes(name), (byte)password.Length, .. Encoding.ASCII.GetBytes(password), .. Request]);
        Assert.Equal([5, 2, 1, 1], talk.Answer);
        Assert.Equal("wrong user name or password", talk.Step.Refusal);
        talk.Say(Request);
        Assert.Null(talk.Step.Request);
    }

    [Fact]
    public void Where_a_user_is_wanted_a_client_that_offers_none_is_refused_with_FF()
    {
        var talk = new Talk(User);
        talk.Say(5, 1, 0);
        Assert.Equal([5, 0xFF], talk.Answer);
        Assert.NotNull(talk.Step.Refusal);
    }

    [Fact]
    public void Where_none_is_wanted_a_client_that_insists_is_refused_with_FF()
    {
        var talk = new Talk(null);
        talk.Say(5, 1, 2);
        Assert.Equal([5, 0xFF], talk.Answer);
        Assert.NotNull(talk.Step.Refusal);
    }

    [Theory]
    [InlineData(new byte[] { 5, 4, 0, 1, 10, 0, 0, 1, 0, 80 }, 7)]
    [InlineData(new byte[] { 5, 0, 0, 1, 10, 0, 0, 1, 0, 80 }, 7)]
    [InlineData(new byte[] { 5, 1, 0, 9 }, 8)]
    [InlineData(new byte[] { 5, 1, 0, 3, 0, 0, 80 }, 1)]
    [InlineData(new byte[] { 6, 1, 0, 1, 10, 0, 0, 1, 0, 80 }, 1)]
    public void A_bad_request_has_its_reply_code(byte[] request, byte code)
    {
        var talk = new Talk(null);
        talk.Say([5, 1, 0, .. request]);
        Assert.Equal([5, 0, 5, code, 0, 1, 0, 0, 0, 0, 0, 0], talk.Answer);
        Assert.NotNull(talk.Step.Refusal);
    }

    [Theory]
    [InlineData(new byte[] { 4, 1, 0, 80, 10, 0, 0, 1, 0 })]
    [InlineData(new byte[] { 0x16, 3, 1 })]
    [InlineData(new byte[] { 0 })]
    public void What_speaks_neither_protocol_is_refused_without_a_word(byte[] bytes)
    {
        var talk = new Talk(null);
        talk.Say(bytes);
        Assert.Empty(talk.Answer);
        Assert.Contains($"its first byte is {bytes[0]}", talk.Step.Refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("CONNECT peer:80 HTTP/1.1\r\nHost: peer:80\r\n\r\n", "peer:80")]
    [InlineData("CONNECT 10.99.0.1:443 HTTP/1.0\r\n\r\n", "10.99.0.1:443")]
    [InlineData("CONNECT [fd00::1]:443 HTTP/1.1\r\nHost: x\r\nUser-Agent: curl/8\r\n\r\n", "[fd00::1]:443")]
    public void Http_connect_asks_for_the_same(string head, string destination)
    {
        var talk = new Talk(null);
        foreach (var octet in Encoding.ASCII.GetBytes(head))
        {
            Assert.Null(talk.Step.Request);
            talk.Say(octet);
        }

        Assert.Equal(new ProxyRequest(SocksCommand.Connect, talk.Step.Request!.Destination), talk.Step.Request);
        Assert.Equal(destination, talk.Step.Request.Destination.ToString());
        Assert.Empty(talk.Answer);
    }

    [Fact]
    public void What_follows_the_head_is_the_tunnels()
    {
        var talk = new Talk(null);
        talk.Say([.. "CONNECT peer:80 HTTP/1.1\r\n\r\nhello"u8]);
        Assert.Equal("hello", talk.Left);
        Assert.Equal("HTTP/1.1 200 Connection established\r\n\r\n", Encoding.ASCII.GetString(talk.Handshake.Reply(ProxyOutcome.Succeeded)));
    }

    [Theory]
    [InlineData("GET http://peer/ HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n")]
    [InlineData("connect peer:80 HTTP/1.1\r\n\r\n", "HTTP/1.1 405 Method Not Allowed\r\n")]
    [InlineData("CONNECT peer HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n")]
    [InlineData("CONNECT peer:0 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n")]
    [InlineData("CONNECT http://peer/ HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n")]
    [InlineData("CONNECT peer:80 HTTP/2.0\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n")]
    [InlineData("CONNECT peer:80\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n")]
    [InlineData("CONNECT peer:80 HTTP/1.1\r\nno colon\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n")]
    [InlineData("CONNECT peer:80 HTTP/1.1\r\n folded: x\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n")]
    [InlineData("hello\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n")]
    public void What_is_no_connect_is_refused_by_its_status(string head, string status)
    {
        var talk = new Talk(null);
        talk.Say(Encoding.ASCII.GetBytes(head));
        Assert.StartsWith(status, Encoding.ASCII.GetString(talk.Answer), StringComparison.Ordinal);
        Assert.Contains("Connection: close\r\n", Encoding.ASCII.GetString(talk.Answer), StringComparison.Ordinal);
        Assert.NotNull(talk.Step.Refusal);
        Assert.Null(talk.Step.Request);
    }

    [Fact]
    public void A_head_without_end_is_431()
    {
        var talk = new Talk(null);
        talk.Say(Encoding.ASCII.GetBytes("CONNECT peer:80 HTTP/1.1\r\nX: " + new string('x', HttpConnect.MaxHead)));
        Assert.StartsWith("HTTP/1.1 431 ", Encoding.ASCII.GetString(talk.Answer), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Basic bWU6c2VjcmV0", true)] // me:secret
    [InlineData("basic   bWU6c2VjcmV0 ", true)]
    [InlineData("Basic bWU6d3Jvbmc=", false)] // me:wrong
    [InlineData("Basic bWVzZWNyZXQ=", false)] // mesecret
    [InlineData("Basic !!!", false)]
    [InlineData("Basic", false)]
    [InlineData("Bearer bWU6c2VjcmV0", false)]
    [InlineData(null, false)]
    public void Basic_authorization_lets_in_who_knows_the_password(string? field, bool isLetIn)
    {
        var talk = new Talk(User);
        talk.Say(Encoding.ASCII.GetBytes("CONNECT peer:80 HTTP/1.1\r\n" + (field is null ? "" : $"Proxy-Authorization: {field}\r\n") + "\r\n"));
        Assert.Equal(isLetIn, talk.Step.Request is not null);
        if (isLetIn)
            return;
        var answer = Encoding.ASCII.GetString(talk.Answer);
        Assert.StartsWith("HTTP/1.1 407 Proxy Authentication Required\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("\r\nProxy-Authenticate: Basic realm=\"tapwire\"\r\n", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(StackError.None, 0, "200 Connection established")]
    [InlineData(StackError.AccessDenied, 2, "403 Forbidden")]
    [InlineData(StackError.NetworkUnreachable, 3, "502 Bad Gateway")]
    [InlineData(StackError.HostUnreachable, 4, "502 Bad Gateway")]
    [InlineData(StackError.ConnectionRefused, 5, "502 Bad Gateway")]
    [InlineData(StackError.TimedOut, 6, "504 Gateway Timeout")]
    [InlineData(StackError.AddressFamilyNotSupported, 8, "502 Bad Gateway")]
    [InlineData(StackError.NoBufferSpace, 1, "503 Service Unavailable")]
    [InlineData(StackError.ConnectionReset, 1, "502 Bad Gateway")]
    public void The_stacks_errors_have_their_words_in_both_protocols(StackError error, byte code, string status)
    {
        var outcome = ProxyOutcomes.Of(error);
        Assert.Equal(code, (byte)ProxyOutcomes.ToSocks(outcome));
        Assert.StartsWith($"HTTP/1.1 {status}\r\n", Encoding.ASCII.GetString(ProxyOutcomes.ToHttp(outcome)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_that_nobody_knows_is_host_unreachable_and_502()
    {
        Assert.Equal(SocksReplyCode.HostUnreachable, ProxyOutcomes.ToSocks(ProxyOutcome.NameUnknown));
        Assert.StartsWith("HTTP/1.1 502 ", Encoding.ASCII.GetString(ProxyOutcomes.ToHttp(ProxyOutcome.NameUnknown)), StringComparison.Ordinal);
    }

    [Fact]
    public void The_reply_to_a_socks_request_carries_the_address()
    {
        var talk = new Talk(null);
        talk.Say([5, 1, 0, .. Request]);
        Assert.Equal([5, 0, 0, 1, 10, 99, 0, 2, 0, 7], talk.Handshake.Reply(ProxyOutcome.Succeeded, new IpEndpoint(IpAddress.Parse("10.99.0.2"), 7)));
    }

    /// <summary>A client whose bytes arrive as it says them; what is not consumed is seen again.</summary>
    private sealed class Talk(ProxyUser? user)
    {
        private readonly List<byte> _input = [];
        private readonly List<byte> _answer = [];

        public ProxyHandshake Handshake { get; } = new(user);

        public HandshakeStep Step { get; private set; }

        public byte[] Answer => [.. _answer];

        public string Left => Encoding.ASCII.GetString([.. _input]);

        public void Say(params byte[] bytes)
        {
            _input.AddRange(bytes);
            do
            {
                Step = Handshake.Advance([.. _input]);
                _input.RemoveRange(0, Step.Consumed);
                _answer.AddRange(Step.Answer.ToArray());
            }
            while (Step.Consumed > 0 && Step.Request is null && Step.Refusal is null);
        }
    }
}
