using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack.Ip;

namespace Tapwire.Links.Client;

/// <summary>
/// A socket of the driver: the descriptor that the application reads and writes, and requests to the driver about it. Errors are <see cref="SocketException"/>s
/// with the codes of the kernel's own sockets.
/// </summary>
public sealed class TapwireSocket : IDisposable
{
    private readonly ControlConnection _control;

    private TapwireSocket(ControlConnection control, Socket data, ulong handle, SocketFamily family)
    {
        _control = control;
        Data = data;
        Handle = handle;
        Family = family;
    }

    /// <summary>The descriptor, an AF_UNIX socket, for poll(2) and the like. Options that are set on it concern the way to the driver and not the driver's socket: those are set by
    /// <see cref="SetOptionAsync(int, int, int, CancellationToken)"/>.</summary>
    public SafeSocketHandle SafeHandle => Data.SafeHandle;

    /// <summary>The descriptor as a .NET socket.</summary>
    internal Socket Data { get; }

    /// <summary>The socket's name in requests to the driver.</summary>
    public ulong Handle { get; }

    internal SocketFamily Family { get; }

    /// <summary>The driver has gone.</summary>
    internal bool IsOrphaned => _control.Ended.IsCompleted;

    internal SocketException Gone() => _control.Gone();

    /// <summary>The local address, known to the driver once the socket is bound or connected.</summary>
    public async Task<IPEndPoint> GetLocalEndPointAsync(CancellationToken cancellationToken = default) =>
        ToEndPoint((await AskAsync(new GetSockNameRequest(_control.NextId(), Handle), cancellationToken).ConfigureAwait(false)).Address);

    /// <summary>The peer's address.</summary>
    /// <exception cref="SocketException">ENOTCONN: there is none.</exception>
    public async Task<IPEndPoint> GetRemoteEndPointAsync(CancellationToken cancellationToken = default) =>
        ToEndPoint((await AskAsync(new GetPeerNameRequest(_control.NextId(), Handle), cancellationToken).ConfigureAwait(false)).Address);

    /// <summary>Sets an option by Linux's numbers, as in <see cref="LinkOption"/>.</summary>
    /// <exception cref="SocketException">ENOPROTOOPT: there is no such option; EINVAL: not with this value.</exception>
    public Task SetOptionAsync(int level, int name, ReadOnlyMemory<byte> value, CancellationToken cancellationToken = default) =>
        AskAsync(new SetOptionRequest(_control.NextId(), Handle, level, name, value), cancellationToken);

    /// <summary>Sets an option whose value is an int.</summary>
    public Task SetOptionAsync(int level, int name, int value, CancellationToken cancellationToken = default) =>
        SetOptionAsync(level, name, BitConverter.GetBytes(value), cancellationToken);

    /// <summary>The value of an option, at most 512 bytes.</summary>
    public async Task<byte[]> GetOptionBytesAsync(int level, int name, CancellationToken cancellationToken = default)
    {
        var request = new GetOptionRequest(_control.NextId(), Handle, level, name, LinkProtocol.MaxOptionValue);
        return (await AskAsync(request, cancellationToken).ConfigureAwait(false)).Body.ToArray();
    }

    /// <summary>The value of an option that is an int.</summary>
    public async Task<int> GetOptionAsync(int level, int name, CancellationToken cancellationToken = default)
    {
        var value = await GetOptionBytesAsync(level, name, cancellationToken).ConfigureAwait(false);
        return value.Length >= sizeof(int) ? BitConverter.ToInt32(value) : throw new SocketException((int)SocketError.ProtocolOption);
    }

    /// <summary>
    /// Closes the socket, and returns when the driver has closed it, too: then its port is free. <see cref="Dispose"/> does not wait.
    /// </summary>
    public async Task CloseAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            await AskAsync(new CloseRequest(_control.NextId(), Handle), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Dispose();
        }
    }

    /// <summary>Closes the descriptor. The driver sends the pending bytes and ends the connection. It resets the connection if bytes are unread, or with
    /// SO_LINGER of 0 seconds.</summary>
    public void Dispose() => Data.Dispose();

    internal static async Task<TapwireSocket> OpenAsync(
        ControlConnection control, SocketFamily family, LinkSocketType type, CancellationToken cancellationToken)
    {
        var answer = await control.AskAsync(new SocketRequest(control.NextId(), family, type, 0), cancellationToken).ConfigureAwait(false);
        return new TapwireSocket(control, new Socket(answer.Descriptor!), answer.Message.Handle, family);
    }

    /// <summary>Takes over a descriptor that came with an accept record.</summary>
    internal static TapwireSocket Adopt(ControlConnection control, SafeSocketHandle descriptor, SocketFamily family)
    {
        var handle = SocketPair.Cookie((int)descriptor.DangerousGetHandle());
        return new TapwireSocket(control, new Socket(descriptor), handle, family);
    }

    internal async Task<IPEndPoint> ConnectAsync(IPEndPoint remote, CancellationToken cancellationToken)
    {
        var request = new ConnectRequest(_control.NextId(), Handle, ToAddress(remote), 0, NoWait: false);
        return ToEndPoint((await AskAsync(request, cancellationToken).ConfigureAwait(false)).Address);
    }

    internal async Task<IPEndPoint> BindAsync(IPEndPoint local, CancellationToken cancellationToken) =>
        ToEndPoint((await AskAsync(new BindRequest(_control.NextId(), Handle, ToAddress(local)), cancellationToken).ConfigureAwait(false)).Address);

    internal async Task<IPEndPoint> ListenAsync(int backlog, CancellationToken cancellationToken) =>
        ToEndPoint((await AskAsync(new ListenRequest(_control.NextId(), Handle, backlog), cancellationToken).ConfigureAwait(false)).Address);

    internal Task ShutdownAsync(ShutdownHow how, CancellationToken cancellationToken) =>
        AskAsync(new ShutdownRequest(_control.NextId(), Handle, how), cancellationToken);

    internal static SocketFamily FamilyOf(IPEndPoint endPoint) => endPoint.AddressFamily switch
    {
        AddressFamily.InterNetwork => SocketFamily.V4,
        AddressFamily.InterNetworkV6 => SocketFamily.V6,
        _ => throw new SocketException((int)SocketError.AddressFamilyNotSupported),
    };

    internal static IPEndPoint ToEndPoint(Sockaddr address) => new(
        address.Family == SocketFamily.V6 && address.Endpoint.Address.IsV4
            ? address.Endpoint.Address.ToSystem().MapToIPv6()
            : address.Endpoint.Address.ToSystem(),
        address.Endpoint.Port);

    /// <summary>The address with the number of its interface, where one is said.</summary>
    internal static IPAddress AddressOf(Sockaddr address)
    {
        var result = address.Endpoint.Address.ToSystem();
        if (address.Scope != 0 && result.AddressFamily == AddressFamily.InterNetworkV6)
            result.ScopeId = address.Scope;
        return result;
    }

    internal Sockaddr ToAddress(IPEndPoint endPoint) =>
        Sockaddr.From(new IpEndpoint(IpAddress.FromSystem(endPoint.Address), (ushort)endPoint.Port), Family) with
        {
            Scope = endPoint.Address is { IsIPv6LinkLocal: true, ScopeId: > 0 and <= int.MaxValue and var scope } ? (uint)scope : 0,
        };

    private async Task<LinkAnswer> AskAsync(LinkRequest request, CancellationToken cancellationToken) =>
        (await _control.AskAsync(request, cancellationToken).ConfigureAwait(false)).Message;
}
