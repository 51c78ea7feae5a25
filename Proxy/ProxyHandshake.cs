using Tapwire.Stack.Ip;

namespace Tapwire.Proxy;

/// <summary>A client's request, in either protocol.</summary>
public sealed record ProxyRequest(SocksCommand Command, Destination Destination);

/// <summary>One step of a handshake. With nothing set, more bytes of the client are needed.</summary>
/// <param name="Consumed">Bytes of the input that are handled. The next step must not see them again.</param>
/// <param name="Answer">To be sent now; may be empty.</param>
/// <param name="Request">Set once the handshake is done: to be carried out, and answered with <see cref="ProxyHandshake.Reply"/>.</param>
/// <param name="Refusal">Set if the client is refused: the reason, for the log. Send the answer and close.</param>
/// <param name="IsWrongPassword">The client is refused because of a wrong name or password.</param>
public readonly record struct HandshakeStep(int Consumed, ReadOnlyMemory<byte> Answer = default, ProxyRequest? Request = null, string? Refusal = null,
    bool IsWrongPassword = false);

/// <summary>
/// The server's side of the handshake: SOCKS5 (RFC 1928, 1929), or HTTP CONNECT (RFC 9110, 9.3.6), which the first byte tells apart. It does no I/O: bytes go
/// in, answers come out. Bytes after the request are not consumed: they belong to the connection.
/// </summary>
/// <param name="user">The user who is admitted; null: everybody.</param>
public sealed class ProxyHandshake(ProxyUser? user)
{
    /// <summary>The most input that one step needs.</summary>
    public const int MaxInput = HttpConnect.MaxHead;

    private const string WrongPassword = "wrong user name or password";

    private Stage _stage = Stage.First;
    private bool _isHttp;

    private enum Stage
    {
        First,
        Login,
        Request,
        Done,
    }

    /// <summary>Handles the client's bytes that are not consumed yet.</summary>
    public HandshakeStep Advance(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty)
            return default;
        switch (_stage)
        {
            case Stage.First when input[0] == Socks5.Version:
                return Greet(input);
            case Stage.First when char.IsAsciiLetter((char)input[0]):
                return Http(input);
            case Stage.Login:
                return LogIn(input);
            case Stage.Request:
                return Ask(input);
            case Stage.Done:
                return default;
            default:
                return Refuse(default, $"it speaks neither SOCKS5 nor HTTP (its first byte is {input[0]})");
        }
    }

    /// <summary>The answer to the request.</summary>
    /// <param name="bound">With success: the local address of the connection, or of the port that waits for it, on the proxy's far side.</param>
    public byte[] Reply(ProxyOutcome outcome, IpEndpoint bound = default) =>
        _isHttp ? ProxyOutcomes.ToHttp(outcome) : SocksReply.Write(ProxyOutcomes.ToSocks(outcome), bound);

    private HandshakeStep Greet(ReadOnlySpan<byte> input)
    {
        var status = SocksGreeting.TryRead(input, out var greeting);
        if (status != ParseStatus.Complete)
            return Unfinished(status, "its SOCKS greeting offers no method");
        var method = user is null ? Socks5.NoAuthentication : Socks5.UserPassword;
        if (!greeting.Methods.Contains(method))
            return Refuse(new byte[] { Socks5.Version, Socks5.NoAcceptableMethod }, user is null ? "it insists on authentication" : "it offers no user name and password");
        _stage = user is null ? Stage.Request : Stage.Login;
        return new HandshakeStep(greeting.Length, new byte[] { Socks5.Version, method });
    }

    private HandshakeStep LogIn(ReadOnlySpan<byte> input)
    {
        var status = SocksLogin.TryRead(input, out var login);
        if (status != ParseStatus.Complete)
            return Unfinished(status, "its login is malformed");
        if (!user!.Matches(login.User, login.Password))
            return Refuse(new byte[] { Socks5.LoginVersion, 1 }, WrongPassword, login.Length) with { IsWrongPassword = true };
        _stage = Stage.Request;
        return new HandshakeStep(login.Length, new byte[] { Socks5.LoginVersion, 0 });
    }

    private HandshakeStep Ask(ReadOnlySpan<byte> input)
    {
        var status = SocksRequest.TryRead(input, out var request);
        if (status == ParseStatus.UnknownAddressType)
            return Refuse(Reply(ProxyOutcome.AddressTypeNotSupported), $"its request has an unknown type of address ({input[3]})");
        if (status == ParseStatus.Malformed)
            return Refuse(Reply(ProxyOutcome.Failed), "its SOCKS request is malformed");
        if (status != ParseStatus.Complete)
            return default;
        if (request.Command is not (SocksCommand.Connect or SocksCommand.Bind or SocksCommand.UdpAssociate))
            return Refuse(Reply(ProxyOutcome.CommandNotSupported), $"its request has an unknown command ({(byte)request.Command})", request.Length);
        _stage = Stage.Done;
        return new HandshakeStep(request.Length, default, new ProxyRequest(request.Command, request.Destination));
    }

    private HandshakeStep Http(ReadOnlySpan<byte> input)
    {
        _isHttp = true;
        var status = HttpConnect.TryRead(input, out var request);
        if (status == ParseStatus.Malformed)
        {
            return input.Length >= HttpConnect.MaxHead
                ? Refuse(HttpConnect.Refusal("431 Request Header Fields Too Large", "The request is too long."), "its HTTP request is too long")
                : Refuse(HttpConnect.Refusal("400 Bad Request", "That is not an HTTP/1.x request."), "its HTTP request is malformed");
        }

        if (request is null)
            return default;
        if (user is not null && !IsLetIn(request.Credentials))
        {
            var answer = HttpConnect.Refusal("407 Proxy Authentication Required", "This proxy wants a user name and a password.",
                "Proxy-Authenticate: Basic realm=\"tapwire\"\r\n");
            return request.Credentials is null
                ? Refuse(answer, "it gives no user name and password", request.Length)
                : Refuse(answer, WrongPassword, request.Length) with { IsWrongPassword = true };
        }

        if (request.Method != "CONNECT")
        {
            return Refuse(HttpConnect.Refusal("405 Method Not Allowed", "This proxy serves CONNECT only.", "Allow: CONNECT\r\n"),
                $"its HTTP method is {request.Method}", request.Length);
        }

        if (request.Target is not { } target)
            return Refuse(HttpConnect.Refusal("400 Bad Request", "The target of CONNECT must be HOST:PORT."), "its target is not HOST:PORT", request.Length);
        _stage = Stage.Done;
        return new HandshakeStep(request.Length, default, new ProxyRequest(SocksCommand.Connect, target));
    }

    /// <summary>The name ends at the first colon (RFC 7617, 2).</summary>
    private bool IsLetIn(byte[]? credentials)
    {
        var colon = credentials.AsSpan().IndexOf((byte)':');
        return colon >= 0 && user!.Matches(credentials.AsSpan(0, colon), credentials.AsSpan(colon + 1));
    }

    private HandshakeStep Unfinished(ParseStatus status, string refusal) => status == ParseStatus.Incomplete ? default : Refuse(default, refusal);

    private HandshakeStep Refuse(ReadOnlyMemory<byte> answer, string why, int consumed = 0)
    {
        _stage = Stage.Done;
        return new HandshakeStep(consumed, answer, null, why);
    }
}
