using Tapwire.Stack.Ip;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Proxy;

/// <summary>A socket of the host's kernel cannot be opened. The message says which and why.</summary>
public sealed class HostSocketException : IOException
{
    public HostSocketException()
    {
    }

    public HostSocketException(string message)
        : base(message)
    {
    }

    public HostSocketException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}

/// <summary>Opens sockets of the host's kernel, and converts their addresses: struct sockaddr_in and sockaddr_in6, which the link uses, too.</summary>
internal static unsafe class HostAddress
{
    private const uint V4Size = 16;

    /// <exception cref="PosixException">EMFILE: the remaining descriptors are reserved; or the host has no sockets of that kind.</exception>
    public static int Open(IpAddress address, int type)
    {
        var descriptor = Errors.Check(socket(address.IsV4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
        if (OpenFileLimit.OfProcess.Admits(descriptor))
            return descriptor;
        Close(descriptor);
        throw Errors.Exception("socket", Errors.EMFILE);
    }

    /// <summary>Binds a socket to exactly that address: an IPv6 wildcard does not take IPv4 connections.</summary>
    /// <exception cref="PosixException">The address is in use, or not the host's.</exception>
    public static void Bind(int descriptor, IpEndpoint local)
    {
        if (local.Address.IsV6)
            SetOption(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        var address = stackalloc byte[Sockaddr.Size];
        var length = Write(local, address);
        Errors.Check(bind(descriptor, address, length), "bind");
    }

    /// <returns>0, EINPROGRESS, or an errno.</returns>
    public static int Connect(int descriptor, IpEndpoint remote)
    {
        var address = stackalloc byte[Sockaddr.Size];
        var length = Write(remote, address);
        return connect(descriptor, address, length) == 0 ? 0 : Errno;
    }

    public static void SetOption(int descriptor, int level, int name, int value) =>
        Errors.Check(setsockopt(descriptor, level, name, &value, sizeof(int)), $"setsockopt {level}, {name}");

    /// <summary>The socket's own address.</summary>
    public static IpEndpoint Local(int descriptor)
    {
        var address = stackalloc byte[Sockaddr.Size];
        uint length = Sockaddr.Size;
        return getsockname(descriptor, address, &length) == 0 ? Read(address) : default;
    }

    /// <summary>The address of the socket's peer.</summary>
    public static IpEndpoint Remote(int descriptor)
    {
        var address = stackalloc byte[Sockaddr.Size];
        uint length = Sockaddr.Size;
        return getpeername(descriptor, address, &length) == 0 ? Read(address) : default;
    }

    /// <param name="address">Room for <see cref="Sockaddr.Size"/> bytes.</param>
    /// <returns>The length of the address.</returns>
    public static uint Write(IpEndpoint endpoint, byte* address)
    {
        Sockaddr.From(endpoint).WriteTo(new Span<byte>(address, Sockaddr.Size));
        return endpoint.Address.IsV4 ? V4Size : Sockaddr.Size;
    }

    /// <summary>Returns a mapped IPv4 address, that of an IPv4 peer of an IPv6 socket, as an IPv4 address.</summary>
    public static IpEndpoint Read(byte* address) =>
        Sockaddr.TryRead(new ReadOnlySpan<byte>(address, Sockaddr.Size), out var read) ? read.Endpoint : default;
}
