using Tapwire.Stack.Ip;

namespace Tapwire.Proxy;

/// <summary>The client's first message: the methods it offers (RFC 1928, 3).</summary>
public readonly ref struct SocksGreeting
{
    private SocksGreeting(ReadOnlySpan<byte> methods) => Methods = methods;

    public ReadOnlySpan<byte> Methods { get; }

    /// <summary>Bytes of the message.</summary>
    public int Length => 2 + Methods.Length;

    public static ParseStatus TryRead(ReadOnlySpan<byte> bytes, out SocksGreeting greeting)
    {
        greeting = default;
        if (bytes is [not Socks5.Version, ..] or [_, 0, ..])
            return ParseStatus.Malformed;
        if (bytes.Length < 2 || bytes.Length < 2 + bytes[1])
            return ParseStatus.Incomplete;
        greeting = new SocksGreeting(bytes.Slice(2, bytes[1]));
        return ParseStatus.Complete;
    }
}

/// <summary>The client's user name and password (RFC 1929, 2).</summary>
public readonly ref struct SocksLogin
{
    private SocksLogin(ReadOnlySpan<byte> user, ReadOnlySpan<byte> password)
    {
        User = user;
        Password = password;
    }

    public ReadOnlySpan<byte> User { get; }

    public ReadOnlySpan<byte> Password { get; }

    /// <summary>Bytes of the message.</summary>
    public int Length => 3 + User.Length + Password.Length;

    /// <summary>Reads empty names and passwords, too, although RFC 1929 wants at least one byte: they match no user.</summary>
    public static ParseStatus TryRead(ReadOnlySpan<byte> bytes, out SocksLogin login)
    {
        login = default;
        if (bytes is [not Socks5.LoginVersion, ..])
            return ParseStatus.Malformed;
        if (bytes.Length < 2)
            return ParseStatus.Incomplete;
        var user = 2 + bytes[1];
        if (bytes.Length <= user || bytes.Length < user + 1 + bytes[user])
            return ParseStatus.Incomplete;
        login = new SocksLogin(bytes[2..user], bytes.Slice(user + 1, bytes[user]));
        return ParseStatus.Complete;
    }
}

/// <summary>The client's request (RFC 1928, 4).</summary>
/// <param name="Command">Any number: an unknown one is for the reply to refuse.</param>
/// <param name="Length">Bytes of the message.</param>
public readonly record struct SocksRequest(SocksCommand Command, Destination Destination, int Length)
{
    private const int HeaderLength = 3;

    public static ParseStatus TryRead(ReadOnlySpan<byte> bytes, out SocksRequest request)
    {
        request = default;
        if (bytes is [not Socks5.Version, ..])
            return ParseStatus.Malformed;
        if (bytes.Length < HeaderLength)
            return ParseStatus.Incomplete;
        var status = SocksAddress.TryRead(bytes[HeaderLength..], out var destination, out var length);
        if (status == ParseStatus.Complete)
            request = new SocksRequest((SocksCommand)bytes[1], destination, HeaderLength + length);
        return status;
    }
}

/// <summary>The server's answer to a request (RFC 1928, 6).</summary>
public static class SocksReply
{
    public static byte[] Write(SocksReplyCode code, IpEndpoint bound)
    {
        Span<byte> bytes = stackalloc byte[3 + SocksAddress.MaxWritten];
        bytes[0] = Socks5.Version;
        bytes[1] = (byte)code;
        bytes[2] = 0;
        if (bound == default)
            bound = new IpEndpoint(IpAddress.AnyV4, 0);
        return bytes[..(3 + SocksAddress.Write(bytes[3..], bound))].ToArray();
    }
}

/// <summary>The header before the payload of a datagram between client and relay (RFC 1928, 7).</summary>
public static class SocksDatagram
{
    /// <summary>Bytes of the longest header that is written here.</summary>
    public const int MaxHeader = 3 + SocksAddress.MaxWritten;

    /// <param name="length">With Complete: bytes of the header.</param>
    /// <returns>The status. A fragment is Malformed: a relay that does not reassemble "MUST drop" it.</returns>
    public static ParseStatus TryRead(ReadOnlySpan<byte> bytes, out Destination destination, out int length)
    {
        destination = default;
        length = 0;
        if (bytes.Length < 3)
            return ParseStatus.Incomplete;
        if (bytes[2] != 0)
            return ParseStatus.Malformed;
        var status = SocksAddress.TryRead(bytes[3..], out destination, out length);
        length += 3;
        return status;
    }

    /// <returns>The number of bytes written, at most <see cref="MaxHeader"/>.</returns>
    public static int Write(Span<byte> bytes, IpEndpoint from)
    {
        bytes[..3].Clear();
        return 3 + SocksAddress.Write(bytes[3..], from);
    }
}
