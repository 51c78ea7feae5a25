using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Tapwire.Links;
using Tapwire.Links.Client;
using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Ip;
using PhysicalAddress = System.Net.NetworkInformation.PhysicalAddress;

namespace Tapwire;

/// <summary>
/// A program's way to a Tapwire driver in another process: sockets on the driver's network, and the driver's state. Safe to use from several threads. Disposing it
/// ends the control connection, not the sockets; these only lose what is asked by request (options, addresses, the cause of a reset).
/// </summary>
public sealed class TapwireClient : TapwireNetwork, IDisposable
{
    /// <summary>Bytes of a capture on their way from the driver.</summary>
    private const int CaptureBytes = 1 << 20;

    private readonly ControlConnection _control;

    private TapwireClient(ControlConnection control) => _control = control;

    /// <summary>Connects to a driver. A driver that hangs, or is overloaded, is waited for until the call is cancelled.</summary>
    /// <param name="path">The driver's control socket. Null: <see cref="LinkEndpointPath.Find"/>, the user's own driver or, if no socket is there, the
    /// system's.</param>
    /// <exception cref="SocketException">No driver can be reached there. The message says, in one line, what is there, whose it is and what to do. EACCES: the
    /// driver is another user's and does not admit this one; or anybody may have put the socket there (it is neither root's nor this user's, and the path leads
    /// through a directory such as /tmp). ECONNREFUSED and others: nobody listens. EINVAL: the path is empty or longer than 107 bytes.</exception>
    /// <exception cref="LinkProtocolException">What listens there is no Tapwire driver, or one of another version.</exception>
    public static async Task<TapwireClient> ConnectAsync(string? path = null, CancellationToken cancellationToken = default) =>
        new(await ControlConnection.OpenAsync(path ?? LinkEndpointPath.Find(), cancellationToken).ConfigureAwait(false));

    /// <inheritdoc cref="ConnectAsync"/>
    public static TapwireClient Connect(string? path = null) => ConnectAsync(path).GetAwaiter().GetResult();

    /// <summary>Opens a TCP connection; returns after the handshake. Cancelling gives up the attempt.</summary>
    /// <param name="local">The address to connect from; null lets the driver choose.</param>
    /// <param name="fastOpen">TCP Fast Open (RFC 7413): if the driver knows the server's cookie, this returns at once, and the first write goes with the
    /// SYN. The server may get it twice. If the handshake then fails, the connection ends as if it had been reset.</param>
    /// <exception cref="SocketException">The true reason: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL, EADDRINUSE.</exception>
    public Task<LinkedStream> ConnectTcpAsync(
        IPEndPoint remote, IPEndPoint? local = null, bool fastOpen = false, CancellationToken cancellationToken = default) =>
        ConnectTcpAsync(remote, new TapwireConnectOptions { LocalEndPoint = local, FastOpen = fastOpen }, cancellationToken);

    private async Task<LinkedStream> ConnectTcpAsync(IPEndPoint remote, TapwireConnectOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(remote);
        var socket = await OpenAsync(remote, LinkSocketType.Stream, cancellationToken).ConfigureAwait(false);
        try
        {
            if (options.ReceiveBufferSize is { } receive)
                await socket.SetOptionAsync(LinkOption.SolSocket, LinkOption.SoRcvBuf, receive, cancellationToken).ConfigureAwait(false);
            if (options.SendBufferSize is { } send)
                await socket.SetOptionAsync(LinkOption.SolSocket, LinkOption.SoSndBuf, send, cancellationToken).ConfigureAwait(false);
            if (options.CongestionControl is { } algorithm)
                await socket.SetOptionAsync(LinkOption.IpProtoTcp, LinkOption.TcpCongestion, Encoding.ASCII.GetBytes(algorithm), cancellationToken).ConfigureAwait(false);
            if (options.NoDelay)
                await socket.SetOptionAsync(LinkOption.IpProtoTcp, LinkOption.TcpNoDelay, 1, cancellationToken).ConfigureAwait(false);
            if (options.LocalEndPoint is { } local)
                await socket.BindAsync(local, cancellationToken).ConfigureAwait(false);
            if (options.FastOpen)
                await socket.SetOptionAsync(LinkOption.IpProtoTcp, LinkOption.TcpFastOpenConnect, 1, cancellationToken).ConfigureAwait(false);
            var bound = await socket.ConnectAsync(remote, cancellationToken).ConfigureAwait(false);
            return new LinkedStream(socket, bound, remote);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <inheritdoc cref="TapwireNetwork.ConnectAsync(string, int, CancellationToken)"/>
    public Task<TapwireStream> ConnectTcpAsync(string host, int port, CancellationToken cancellationToken = default) => ConnectAsync(host, port, cancellationToken);

    /// <inheritdoc cref="ConnectTcpAsync(IPEndPoint, IPEndPoint?, bool, CancellationToken)"/>
    public LinkedStream ConnectTcp(IPEndPoint remote, IPEndPoint? local = null) => ConnectTcpAsync(remote, local).GetAwaiter().GetResult();

    /// <summary>Listens for TCP connections.</summary>
    /// <param name="local">Address or wildcard; port 0 lets the driver choose.</param>
    /// <param name="backlog">Connections that may wait to be accepted.</param>
    /// <param name="fastOpenQueue">TCP Fast Open (RFC 7413): this many connections may be accepted, with the data of their SYN, before their handshake is done.
    /// That data may arrive twice, as that of two connections.</param>
    /// <exception cref="SocketException">EADDRINUSE, EADDRNOTAVAIL.</exception>
    public async Task<LinkedListener> ListenAsync(
        IPEndPoint local, int backlog = 128, int fastOpenQueue = 0, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(local);
        var socket = await OpenAsync(local, LinkSocketType.Stream, cancellationToken).ConfigureAwait(false);
        try
        {
            await socket.BindAsync(local, cancellationToken).ConfigureAwait(false);
            if (fastOpenQueue > 0)
                await socket.SetOptionAsync(LinkOption.IpProtoTcp, LinkOption.TcpFastOpen, fastOpenQueue, cancellationToken).ConfigureAwait(false);
            var bound = await socket.ListenAsync(backlog, cancellationToken).ConfigureAwait(false);
            return new LinkedListener(_control, socket, bound);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override async Task<TapwireListener> ListenAsync(IPEndPoint local, TapwireListenOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        return await ListenAsync(local, options.Backlog, options.FastOpenQueue, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc cref="ListenAsync(IPEndPoint, int, int, CancellationToken)"/>
    public LinkedListener Listen(IPEndPoint local, int backlog = 128) => ListenAsync(local, backlog).GetAwaiter().GetResult();

    /// <summary>Opens a UDP socket and binds it.</summary>
    /// <param name="local">Address or wildcard; port 0 lets the driver choose.</param>
    /// <exception cref="SocketException">EADDRINUSE, EADDRNOTAVAIL.</exception>
    public async Task<LinkedDatagramSocket> OpenUdpAsync(IPEndPoint local, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(local);
        var socket = await OpenAsync(local, LinkSocketType.Datagram, cancellationToken).ConfigureAwait(false);
        try
        {
            return new LinkedDatagramSocket(socket, await socket.BindAsync(local, cancellationToken).ConfigureAwait(false));
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override async Task<TapwireDatagramSocket> BindUdpAsync(IPEndPoint local, CancellationToken cancellationToken = default) =>
        await OpenUdpAsync(local, cancellationToken).ConfigureAwait(false);

    /// <summary>The number of one of the driver's interfaces, which is the scope (<see cref="IPAddress.ScopeId"/>) of link-local addresses on its link.</summary>
    /// <param name="name">As in <c>tapwire status</c>.</param>
    /// <returns>0: there is no such interface.</returns>
    public async Task<int> FindInterfaceAsync(string name, CancellationToken cancellationToken = default) =>
        (await FindInterfaceAsync(each => each.Name == name, cancellationToken).ConfigureAwait(false)).Index;

    /// <summary>The name of the interface that has a number: what <see cref="FindInterfaceAsync(string, CancellationToken)"/> finds, the other way round.</summary>
    /// <param name="index">1 or more.</param>
    /// <returns>Null: there is no such interface.</returns>
    public async Task<string?> FindInterfaceNameAsync(int index, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(index);
        return (await FindInterfaceAsync(each => each.Index == index, cancellationToken).ConfigureAwait(false)).Name;
    }

    private async Task<(string? Name, int Index)> FindInterfaceAsync(Predicate<(string Name, int Index)> isWanted, CancellationToken cancel)
    {
        for (var from = 0; ; from += LinkInterface.MostInAnswer)
        {
            var answer = await _control.AskAsync(new ListInterfacesRequest(_control.NextId(), from), cancel).ConfigureAwait(false);
            var (total, names) = LinkInterface.ReadNames(answer.Message.Body.Span);
            if (names.Find(isWanted) is { Index: > 0 } found)
                return found;
            if (from + LinkInterface.MostInAnswer >= total)
                return default;
        }
    }

    /// <summary>Sends one ICMP echo request and waits for its reply.</summary>
    /// <param name="destination">A link-local one may have a scope: the number of an interface.</param>
    /// <param name="size">Payload in bytes, 0 to 65,527; to an IPv4 address 0 to 65,507.</param>
    /// <param name="timeout">Up to a minute.</param>
    /// <exception cref="SocketException">ETIMEDOUT: no reply came; EHOSTUNREACH and the like: an ICMP error came back.</exception>
    public async Task<PingReply> PingAsync(
        IPAddress destination, ushort sequence, int size, TimeSpan timeout, CancellationToken cancellationToken = default)
    {
        var address = Sockaddr.From(new IpEndpoint(IpAddress.FromSystem(destination), 0));
        if (destination.IsIPv6LinkLocal)
            address = address with { Scope = (uint)destination.ScopeId };
        var milliseconds = (int)Math.Clamp(timeout.TotalMilliseconds, 1, 60_000);
        var request = new PingRequest(_control.NextId(), address, sequence, size, milliseconds);
        return (await _control.AskAsync(request, cancellationToken).ConfigureAwait(false)).Message.PingReply;
    }

    /// <inheritdoc/>
    public override async Task<ResolvedHost> ResolveAsync(string name, AddressFamily family = AddressFamily.Unspecified, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        var wanted = ResolveRequest.FamilyOf(family);
        var (addresses, canonical) = await ResolveAsync(id => new ResolveRequest(id, wanted, false, name), cancellationToken).ConfigureAwait(false);
        return new ResolvedHost([.. addresses.Select(TapwireSocket.AddressOf)], canonical);
    }

    /// <summary>Looks up the name of an address with the driver's resolver.</summary>
    /// <exception cref="SocketException">As <see cref="ResolveAsync(string, AddressFamily, CancellationToken)"/>.</exception>
    public async Task<string> ResolveAsync(IPAddress address, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(address);
        var text = IpAddress.FromSystem(address).ToString();
        return (await ResolveAsync(id => new ResolveRequest(id, SocketFamily.Unspecified, true, text), cancellationToken).ConfigureAwait(false)).Name;
    }

    /// <summary>Looks for services on the driver's links by multicast DNS (RFC 6763).</summary>
    /// <param name="service">The type, as "_http._tcp" or "http"; empty: the types themselves.</param>
    /// <param name="time">How long hosts have to answer: 1 ms to 30 s.</param>
    /// <returns>JSON: an array "services", each with "interface", "name", "type", and where they are known "host", "port", "addresses" and "text"; and "left", the number of those that found no room.</returns>
    /// <exception cref="SocketException">EINVAL: no type of services; ENONET: no link is asked; ENOSYS: the driver is of an earlier version.</exception>
    public async Task<string> BrowseAsync(string service, TimeSpan time, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(service);
        if (Encoding.UTF8.GetByteCount(service) > BrowseRequest.MaxService)
            throw new SocketException((int)SocketError.InvalidArgument, $"A type of services has at most {BrowseRequest.MaxService} bytes.");
        var milliseconds = (int)Math.Clamp(time.TotalMilliseconds, 1, BrowseRequest.MostMilliseconds);
        return (await _control.AskAsync(new BrowseRequest(_control.NextId(), service, milliseconds), cancellationToken).ConfigureAwait(false)).Message.Text;
    }

    /// <inheritdoc/>
    public override async Task<string> GetStatusAsync(CancellationToken cancellationToken = default) =>
        (await _control.AskAsync(new StatusRequest(_control.NextId()), cancellationToken).ConfigureAwait(false)).Message.Text;

    /// <summary>As <see cref="GetStatusAsync"/>, without the sockets: <see cref="GetSocketsAsync"/> has them. A driver of an earlier version tells of them all the same.</summary>
    public async Task<string> GetFiguresAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            return (await _control.AskAsync(new StatusRequest(_control.NextId(), FiguresOnly: true), cancellationToken).ConfigureAwait(false)).Message.Text;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.OperationNotSupported)
        {
            return await GetStatusAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Some of the driver's sockets as JSON: "sockets", and "next" unless that was the end.</summary>
    /// <param name="cursor">0, or "next" of the answer before.</param>
    /// <exception cref="SocketException">ENOSYS: the driver is of an earlier version.</exception>
    public async Task<string> GetSocketsAsync(SocketFilter filter, ulong cursor, CancellationToken cancellationToken = default) =>
        (await _control.AskAsync(new ListSocketsRequest(_control.NextId(), filter, cursor, ListSocketsRequest.MostSockets), cancellationToken).ConfigureAwait(false)).Message.Text;

    /// <summary>Ends a TCP connection of the driver for both sides: its application gets ECONNABORTED, its peer a reset. For the driver's own user and root.</summary>
    /// <exception cref="SocketException">EPERM: this user may not; ENOENT: there is no such connection. The message says it in a sentence.</exception>
    public Task KillAsync(IPEndPoint local, IPEndPoint remote, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(local);
        ArgumentNullException.ThrowIfNull(remote);
        return _control.AskAsync(new KillRequest(_control.NextId(), EndpointOf(local), EndpointOf(remote)), cancellationToken);

        static IpEndpoint EndpointOf(IPEndPoint end) => new(IpAddress.FromSystem(end.Address), (ushort)end.Port);
    }

    /// <summary>Has the driver stop in order, or read its settings again; returns when that begins. For the driver's own user and root.</summary>
    /// <exception cref="SocketException">EPERM: this user may not; EOPNOTSUPP: the driver belongs to a program, with which it ends, or is of an earlier version.</exception>
    public Task OperateAsync(DriverOperation operation, CancellationToken cancellationToken = default) =>
        _control.AskAsync(new OperateRequest(_control.NextId(), operation), cancellationToken);

    /// <summary>Gives the driver's stack an address.</summary>
    public Task AddAddressAsync(IPAddress address, int prefixLength, CancellationToken cancellationToken = default) =>
        _control.AskAsync(new AddAddressRequest(_control.NextId(), IpAddress.FromSystem(address), prefixLength), cancellationToken);

    /// <summary>Takes an address from the driver's stack; connections from it end with ECONNABORTED.</summary>
    public Task RemoveAddressAsync(IPAddress address, CancellationToken cancellationToken = default) =>
        _control.AskAsync(new RemoveAddressRequest(_control.NextId(), IpAddress.FromSystem(address)), cancellationToken);

    /// <summary>Gives an interface of the driver an address.</summary>
    /// <param name="interfaceName">As <see cref="GetStatusAsync"/> has it.</param>
    /// <exception cref="SocketException">EADDRINUSE: the address is there already; ENODEV: no interface has that name. The message says it in a sentence.</exception>
    public Task AddAddressAsync(IPAddress address, int prefixLength, string interfaceName, CancellationToken cancellationToken = default) =>
        _control.AskAsync(new AddInterfaceAddressRequest(_control.NextId(), new IpPrefix(IpAddress.FromSystem(address), prefixLength), interfaceName), cancellationToken);

    /// <summary>Attaches the driver to one more network, until it is removed, its settings change, or the driver ends. For the driver's own user and root.</summary>
    /// <exception cref="SocketException">EPERM: this user may not; EEXIST: there is an interface of that name, or on that device; ENXIO: the device does not open; EINVAL: something
    /// in <paramref name="added"/> cannot be. The message says it in a sentence.</exception>
    /// <exception cref="ArgumentException">It has more addresses and routes than fit into a request: some 25.</exception>
    public Task AddInterfaceAsync(NewInterface added, CancellationToken cancellationToken = default) =>
        _control.AskAsync(new AddInterfaceRequest(_control.NextId(), added), cancellationToken);

    /// <summary>Ends an attachment of the driver to a network; its connections end with ECONNABORTED. For the driver's own user and root.</summary>
    /// <exception cref="SocketException">EPERM: this user may not; ENODEV: there is no such interface; EBUSY: it is the first one, which stays. The message says it in a sentence.</exception>
    public Task RemoveInterfaceAsync(string name, CancellationToken cancellationToken = default) =>
        _control.AskAsync(new RemoveInterfaceRequest(_control.NextId(), name), cancellationToken);

    /// <summary>Gives an interface of the driver a route through a gateway. For the driver's own user and root.</summary>
    /// <param name="destination">The network's address; with <paramref name="prefixLength"/> 0 it is the default route.</param>
    /// <param name="interfaceName">Null: the interface with an address of the gateway's network.</param>
    /// <param name="metric">Of routes to the same destination the one with the lowest is taken.</param>
    /// <exception cref="SocketException">EPERM: this user may not; EEXIST: the interface has a route of this metric to there; ENODEV: no such interface; EINVAL: the gateway is no host of the
    /// interface's networks. The message says it in a sentence.</exception>
    public Task AddRouteAsync(IPAddress destination, int prefixLength, IPAddress gateway, string? interfaceName = null, int metric = 0, CancellationToken cancellationToken = default) =>
        _control.AskAsync(new AddRouteRequest(_control.NextId(), new LinkRoute(new IpPrefix(IpAddress.FromSystem(destination), prefixLength), IpAddress.FromSystem(gateway)) { Metric = metric },
            interfaceName ?? ""), cancellationToken);

    /// <summary>Takes a route through a gateway away. For the driver's own user and root.</summary>
    /// <param name="interfaceName">Null: the only interface with a route to there.</param>
    /// <param name="metric">Null: there is only one route to there.</param>
    /// <exception cref="SocketException">EPERM: this user may not; ENETUNREACH: there is no such route; EINVAL: there are several; ENODEV: no such interface. The message
    /// says it in a sentence.</exception>
    public Task RemoveRouteAsync(IPAddress destination, int prefixLength, string? interfaceName = null, int? metric = null, CancellationToken cancellationToken = default) =>
        _control.AskAsync(new RemoveRouteRequest(_control.NextId(), new IpPrefix(IpAddress.FromSystem(destination), prefixLength), interfaceName ?? "") { Metric = metric }, cancellationToken);

    /// <summary>Names the Ethernet address of a station on an interface's network: it is used from then on, whatever anybody says. For the driver's own user and root.</summary>
    /// <param name="interfaceName">Null: the interface with an address of the same network.</param>
    /// <exception cref="SocketException">EPERM: this user may not; ENODEV: no such interface; EINVAL: no station can have one of the addresses; EOPNOTSUPP: the wire has no stations;
    /// ENOBUFS: too many of them. The message says it in a sentence.</exception>
    public Task SetNeighborAsync(IPAddress address, PhysicalAddress hardwareAddress, string? interfaceName = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(hardwareAddress);
        return _control.AskAsync(new NeighborRequest(_control.NextId(), IpAddress.FromSystem(address), MacAddress.FromBytes(hardwareAddress.GetAddressBytes()), interfaceName ?? ""), cancellationToken);
    }

    /// <summary>Forgets a station. For the driver's own user and root.</summary>
    /// <inheritdoc cref="SetNeighborAsync"/>
    /// <exception cref="SocketException">EPERM: this user may not; ENODEV: no such interface; EADDRNOTAVAIL: it is not known. The message says it in a sentence.</exception>
    public Task RemoveNeighborAsync(IPAddress address, string? interfaceName = null, CancellationToken cancellationToken = default) =>
        _control.AskAsync(new NeighborRequest(_control.NextId(), IpAddress.FromSystem(address), null, interfaceName ?? ""), cancellationToken);

    /// <summary>Forgets all stations on an interface's network that were not named by <see cref="SetNeighborAsync"/>. For the driver's own user and root.</summary>
    /// <exception cref="SocketException">EPERM: this user may not; ENODEV: no such interface. The message says it in a sentence.</exception>
    public Task FlushNeighborsAsync(string interfaceName, CancellationToken cancellationToken = default) =>
        _control.AskAsync(new NeighborRequest(_control.NextId(), null, null, interfaceName), cancellationToken);

    /// <summary>Has the driver write the packets of its interfaces to a stream, as Wireshark reads them. For the driver's own user and root.</summary>
    /// <exception cref="SocketException">EPERM: this user may not; ENODEV: there is no such interface; EBUSY: the driver has as many captures as it may; EINVAL: something that is wanted cannot be; ENOSYS: the driver
    /// is of an earlier version. The message says it in a sentence.</exception>
    public async Task<TapwireCapture> CaptureAsync(CaptureWish wanted, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(wanted);
        if (Encoding.UTF8.GetByteCount(wanted.Interface) > CaptureRequest.MaxName)
            throw new SocketException((int)SocketError.InvalidArgument, $"The name of an interface has at most {CaptureRequest.MaxName} bytes.");
        var request = new CaptureRequest(_control.NextId(), wanted.Interface, wanted.Host is null ? null : IpAddress.FromSystem(wanted.Host), checked((ushort)wanted.Port), wanted.SnapLength, wanted.Count) { Outer = wanted.Outer };
        var (own, passed) = SocketPair.Create(Libc.SOCK_STREAM, CaptureBytes, CaptureBytes);
        var capture = new TapwireCapture(new Socket(new SafeSocketHandle(own, ownsHandle: true)));
        try
        {
            await _control.AskAsync(request, cancellationToken, passed).ConfigureAwait(false);
            return capture;
        }
        catch
        {
            capture.Dispose();
            throw;
        }
        finally
        {
            Libc.Close(passed);
        }
    }

    /// <summary>Has the driver serve another network namespace: everything that it sends by a TUN device goes by the driver's sockets, until this client is disposed.</summary>
    /// <param name="device">The attached device, with IFF_VNET_HDR and IFF_NO_PI; stays the caller's.</param>
    /// <param name="address">The address of the namespace's end. An IPv6 address is no link-local one; a driver of an earlier version takes IPv4 only (EAFNOSUPPORT).</param>
    /// <param name="mtu">The device's MTU, with IPv6 1,280 or more.</param>
    /// <exception cref="SocketException">EBUSY: the driver has as many guests as it takes; EINVAL: the descriptor is no such device; ENOSYS: the driver is of an earlier version. The
    /// message says it in a sentence.</exception>
    public Task AddGuestAsync(SafeHandle device, IPAddress address, int mtu, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(address);
        return AddGuestAsync(device, new GuestAddresses(IpAddress.FromSystem(address)), mtu, cancellationToken);
    }

    /// <summary>The same of a namespace whose end has an address of each family.</summary>
    /// <inheritdoc cref="AddGuestAsync(SafeHandle, IPAddress, int, CancellationToken)"/>
    /// <exception cref="ArgumentException">An address is of the other family.</exception>
    public Task AddGuestAsync(SafeHandle device, IPAddress v4, IPAddress v6, int mtu, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(v4);
        ArgumentNullException.ThrowIfNull(v6);
        return AddGuestAsync(device, new GuestAddresses(IpAddress.FromSystem(v4), IpAddress.FromSystem(v6)), mtu, cancellationToken);
    }

    /// <summary>Has a port of the driver's lead to the namespace that this client has added last, until that ends. It sees the peers' own addresses.</summary>
    /// <param name="local">An address of the driver's, or the wildcard, and a port.</param>
    /// <param name="protocol">TCP or UDP.</param>
    /// <param name="port">The namespace's port, 1 to 65535.</param>
    /// <exception cref="SocketException">EADDRINUSE, EADDRNOTAVAIL; EBUSY: too many ports; ENOENT: this client has added none; ENOSYS: the driver is of an earlier version. The message
    /// says it in a sentence.</exception>
    public Task PublishAsync(IPEndPoint local, ProtocolType protocol, int port, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(local);
        return _control.AskAsync(new PublishRequest(_control.NextId(), new IpEndpoint(IpAddress.FromSystem(local.Address), (ushort)local.Port), (int)protocol, checked((ushort)port)), cancellationToken);
    }

    /// <summary>Completes, without an exception, when the control connection has ended: the driver is gone, or this client is disposed.</summary>
    public override Task Ended => _control.Ended;

    /// <inheritdoc/>
    public void Dispose() => _control.Dispose();

    /// <inheritdoc/>
    public override ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    protected override async Task<TapwireStream> ConnectCoreAsync(IPEndPoint remote, TapwireConnectOptions options, CancellationToken cancellationToken)
    {
        var stream = await ConnectTcpAsync(remote, options, cancellationToken).ConfigureAwait(false);
        return stream;
    }

    private async Task<(IReadOnlyList<Sockaddr> Addresses, string Name)> ResolveAsync(Func<uint, ResolveRequest> request, CancellationToken cancellationToken)
    {
        var asked = request(_control.NextId());
        if (asked.Size > ResolveRequest.Head + ResolveRequest.MaxName)
            throw new SocketException((int)SocketError.InvalidArgument, $"A host's name has at most {ResolveRequest.MaxName} bytes.");
        try
        {
            var answer = await _control.AskAsync(asked, cancellationToken).ConfigureAwait(false);
            return ResolveRequest.ReadAnswer(answer.Message.Body.Span);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.SocketError)
        {
            // ENOENT, which is no error of sockets.
            throw new SocketException((int)SocketError.HostNotFound, e.Message);
        }
    }

    private Task AddGuestAsync(SafeHandle device, GuestAddresses addresses, int mtu, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(device);
        return _control.AskAsync(new AddGuestRequest(_control.NextId(), addresses, mtu), cancellationToken, (int)device.DangerousGetHandle());
    }

    private Task<TapwireSocket> OpenAsync(IPEndPoint endPoint, LinkSocketType type, CancellationToken cancellationToken) =>
        TapwireSocket.OpenAsync(_control, TapwireSocket.FamilyOf(endPoint), type, cancellationToken);
}
