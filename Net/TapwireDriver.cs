using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Akka.Actor;
using Akka.Event;
using Tapwire.Actors;
using Tapwire.Actors.Dispatch;
using Tapwire.Actors.Link;
using Tapwire.Links.Client;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire;

/// <summary>
/// A network whose driver runs in this process. Streams and datagrams go between the program and the stack by references to buffers: no descriptor, no thread and no system call for a connection.
/// </summary>
public sealed class TapwireDriver : TapwireNetwork
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FiguresPatience = TimeSpan.FromSeconds(2);

    private readonly ActorSystem _system;
    private readonly bool _ownsSystem;
    private readonly IActorRef _driver;
    private readonly DriverReady _ready;
    private readonly TimeSpan _patience;
    private readonly DriverSocketSet _sockets;
    private readonly DriverMetrics _metrics;
    private readonly Lock _gate = new();
    private Task? _stopping;
    private int _next;

    /// <param name="clock">What limits of calls are measured by; null: the system's.</param>
    internal TapwireDriver(ActorSystem system, bool ownsSystem, IActorRef driver, DriverReady ready, TimeSpan shutdownTimeout, TimeProvider? clock = null)
    {
        (_system, _ownsSystem, _driver, _ready) = (system, ownsSystem, driver, ready);
        _patience = shutdownTimeout + Patience;
        _sockets = new DriverSocketSet(system, clock ?? TimeProvider.System);
        _metrics = new DriverMetrics(Figures, TimeProvider.System);
        NetworkMeter.Add(_sockets);
        Ended = WatchAsync();
    }

    /// <inheritdoc/>
    public override Task Ended { get; }

    /// <inheritdoc/>
    internal override TimeProvider Clock => _sockets.Clock;

    /// <summary>Starts a driver in this process, in an actor system of its own.</summary>
    /// <exception cref="TapwireException">It does not come up. The message says why, in one line.</exception>
    public static async Task<TapwireDriver> StartAsync(TapwireOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var (config, settings) = OptionSettings.Of(options);
        ActorSystem system;
        try
        {
            system = ActorSystem.Create(options.Name, OptionSettings.OwnSystem(ShardDispatchers.With(config, settings.Shards), options.LogLevel));
        }
        catch (InvalidOperationException e)
        {
            throw new TapwireException($"The actor system does not start: {e.Message}", e);
        }

        try
        {
            if (options.Log is { } log)
                system.EventStream.Subscribe(system.ActorOf(Props.Create(() => new LogActor(log)), "log"), typeof(LogEvent));
            var (driver, ready) = await DriverStart.RunAsync(system, "tapwire", settings, options, cancellationToken).ConfigureAwait(false);
            return new TapwireDriver(system, ownsSystem: true, driver, ready, settings.ShutdownTimeout);
        }
        catch
        {
            await system.Terminate().ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    public override async Task<TapwireListener> ListenAsync(IPEndPoint local, TapwireListenOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(local);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Backlog is < 1 or > ushort.MaxValue)
            throw new ArgumentOutOfRangeException(nameof(options), options.Backlog, "A backlog is 1 to 65535.");
        // As .NET's sockets: a port whose last connections are in TIME-WAIT can be listened on again.
        var inherited = new TcpSocketOptions { ReuseAddress = true, FastOpenQueue = options.FastOpenQueue };
        var context = ContextOf(0).ForTcp((ushort)local.Port, new PortSharing { ReuseAddress = true });
        var socket = new ListenSocket(_sockets, context, inherited, options.Backlog);
        var bound = await socket.OpenAsync(SocketRef.EndOf(local), options.Backlog, cancellationToken).ConfigureAwait(false);
        return new DriverListener(socket, bound, local.AddressFamily == AddressFamily.InterNetworkV6);
    }

    /// <inheritdoc/>
    public override async Task<TapwireDatagramSocket> BindUdpAsync(IPEndPoint local, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(local);
        var asV6 = local.AddressFamily == AddressFamily.InterNetworkV6;
        var socket = new DatagramSocket(_sockets, ContextOf(0).ForUdp((ushort)local.Port, default)) { AsV6 = asV6 };
        var bound = await socket.OpenAsync(SocketRef.EndOf(local), cancellationToken).ConfigureAwait(false);
        return new DriverDatagramSocket(socket, SocketRef.EndPointOf(bound, asV6));
    }

    /// <inheritdoc/>
    public override async Task<ResolvedHost> ResolveAsync(string name, AddressFamily family = AddressFamily.Unspecified, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        var wanted = ResolveRequest.FamilyOf(family);
        if (Encoding.UTF8.GetByteCount(name) > ResolveRequest.MaxName)
            throw new SocketException((int)SocketError.InvalidArgument, $"A host's name has at most {ResolveRequest.MaxName} bytes.");
        var answer = await AskAsync(over => NameCalls.AskAsync(new ResolveRequest(0, wanted, false, name), _ready.Names, over), cancellationToken).ConfigureAwait(false);
        if (answer.Error != 0)
            throw answer.Error == LinkErrno.NoEntry ? new SocketException((int)SocketError.HostNotFound, answer.Reason) : LinkErrors.ToException(answer);
        var (addresses, canonical) = ResolveRequest.ReadAnswer(answer.Body.Span);
        return new ResolvedHost([.. addresses.Select(TapwireSocket.AddressOf)], canonical);
    }

    /// <inheritdoc/>
    public override async Task<string> GetStatusAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            return StatusJson.Write(await AskAsync(over => _driver.Ask<DriverStatus>(GetStatus.Instance, Patience, over), cancellationToken).ConfigureAwait(false));
        }
        catch (Exception e) when (e is AskTimeoutException or InvalidOperationException)
        {
            throw new SocketException((int)SocketError.NetworkDown, "The driver does not answer.");
        }
    }

    /// <summary>Stops the driver in order: connections end with FIN, within the setting shutdown-timeout, and the wire closes last.</summary>
    public override async ValueTask DisposeAsync()
    {
        Task stopping;
        lock (_gate)
            stopping = _stopping ??= StopAsync();
        await stopping.ConfigureAwait(false);
    }

    /// <inheritdoc/>
    protected override async Task<TapwireStream> ConnectCoreAsync(IPEndPoint remote, TapwireConnectOptions options, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(remote);
        ArgumentNullException.ThrowIfNull(options);
        var local = options.LocalEndPoint is { } end ? SocketRef.EndOf(end) : default;
        var context = local.Port != 0 ? ContextOf(0).ForTcp(local.Port, default) : ContextOf((uint)Interlocked.Increment(ref _next));
        var socket = new StreamSocket(_sockets, context, Initial(options));
        await socket.ConnectAsync(new Connect(SocketRef.EndOf(remote), null, default) { Local = local, Zone = ZoneOf(remote.Address) }, cancellationToken).ConfigureAwait(false);
        return new DriverStream(socket);
    }

    /// <summary>The interface of a link-local peer, by its number.</summary>
    internal static string? ZoneOf(IPAddress address) => address.IsIPv6LinkLocal && address.ScopeId != 0 ? address.ScopeId.ToString(CultureInfo.InvariantCulture) : null;

    /// <summary>The same, of a datagram.</summary>
    internal static UdpSendOptions SendOptionsTo(IPEndPoint? remote) => remote?.Address is { IsIPv6LinkLocal: true, ScopeId: > 0 and <= int.MaxValue and var scope }
        ? new UdpSendOptions { Interface = InterfaceNumbers.IndexOf((int)scope) }
        : default;

    private static TcpSocketOptions Initial(TapwireConnectOptions options)
    {
        var initial = new TcpSocketOptions { NoDelay = options.NoDelay, FastOpen = options.FastOpen };
        Set(SocketOption.ReceiveBuffer, options.ReceiveBufferSize);
        Set(SocketOption.SendBuffer, options.SendBufferSize);
        if (options.CongestionControl is not { } name)
            return initial;
        return CongestionAlgorithms.TryParse(name, out var algorithm)
            ? initial with { CongestionControl = algorithm }
            : throw new ArgumentException($"There is no congestion control '{name}'.", nameof(options));

        void Set(SocketOption option, int? value)
        {
            if (value is { } bytes && SocketOptions.Set(ref initial, option, bytes) is not StackError.None and var error)
                throw SocketRef.ExceptionOf(error);
        }
    }

    /// <summary>Asks the driver, as long as there is one.</summary>
    /// <exception cref="SocketException">The network has ended.</exception>
    private async Task<T> AskAsync<T>(Func<CancellationToken, Task<T>> ask, CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _sockets.Over);
        try
        {
            over.Token.ThrowIfCancellationRequested();
            return await ask(over.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (_sockets.Over.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw _sockets.Reason;
        }
    }

    private SocketContext ContextOf(uint number) => _ready.Sockets[(int)(number % (uint)_ready.Sockets.Count)];

    private async Task WatchAsync()
    {
        await _driver.WatchAsync().ConfigureAwait(false);
        _sockets.End(new SocketException((int)SocketError.NetworkDown, "The driver has ended."));
        NetworkMeter.Remove(_sockets);
        _metrics.Dispose();
    }

    /// <summary>For a collector, on its thread.</summary>
    /// <returns>Null: the driver does not answer.</returns>
    private DriverStatus? Figures()
    {
        try
        {
            return _driver.Ask<DriverStatus>(GetStatus.Figures, FiguresPatience).GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is AskTimeoutException or InvalidOperationException)
        {
            return null;
        }
    }

    private async Task StopAsync()
    {
        _sockets.End(SocketRef.Aborted());
        try
        {
            await _driver.GracefulStop(_patience, StopDriver.Instance).ConfigureAwait(false);
        }
        catch (TaskCanceledException)
        {
            // It does not stop in order; its actor system ends all the same.
        }

        if (_ownsSystem)
            await _system.Terminate().ConfigureAwait(false);
    }

    /// <summary>Passes log events on.</summary>
    private sealed class LogActor(Action<LogEvent> log) : UntypedActor
    {
        protected override void OnReceive(object message)
        {
            if (message is LogEvent logged)
                log(logged);
        }
    }
}
