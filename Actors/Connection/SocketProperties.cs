using Tapwire.Actors.Link;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Connection;

/// <summary>What is known of a socket without asking the stack: its addresses, why it has failed, and the options that the application has set before there was a connection.</summary>
/// <param name="options">Those that an accepted connection has from its listener.</param>
/// <param name="hints">Likewise.</param>
internal struct SocketProperties(SocketFamily family, in TcpSocketOptions options, SocketHints hints)
{
    private byte? _interface;

    // Null while nothing is set: most applications set nothing.
    private Settings? _settings = options == default && hints.Values is null ? null : new Settings { Options = options, Hints = hints };

    public readonly SocketFamily Family => family;

    public IpEndpoint Local { get; private set; }

    public IpEndpoint Remote { get; private set; }

    /// <summary>SO_ERROR: why the last attempt to connect, or the connection, has failed. Taken once.</summary>
    public StackError Error { get; private set; }

    /// <summary>The local address as an application of the socket's family sees it.</summary>
    public readonly Sockaddr LocalName => InterfaceNumbers.Name(Local, family, _interface);

    /// <inheritdoc cref="LocalName"/>
    public readonly Sockaddr RemoteName => InterfaceNumbers.Name(Remote, family, _interface);

    public readonly TcpSocketOptions Options => _settings?.Options ?? default;

    public readonly SocketHints Hints => _settings?.Hints ?? default;

    /// <summary>IPV6_V6ONLY: the application has another socket for IPv4.</summary>
    public readonly bool IsV6Only => _settings?.Hints.IsV6Only == true;

    /// <summary>With whom the socket shares a port that it is bound to.</summary>
    /// <param name="owner">The process that binds it.</param>
    public readonly PortSharing SharingFor(PeerCredentials owner) => new()
    {
        ReuseAddress = Options.ReuseAddress, ReusePort = Options.ReusePort, Owner = owner.UserId, IsV6Only = family == SocketFamily.V6 && IsV6Only,
    };

    /// <param name="on">See <see cref="Bound.Interface"/>.</param>
    public void SetLocal(IpEndpoint local, byte? on) => (Local, _interface) = (local, on);

    /// <inheritdoc cref="SetLocal"/>
    public void SetEnds(IpEndpoint local, IpEndpoint remote, byte? on) => (Local, Remote, _interface) = (local, remote, on);

    public void SetError(StackError error) => Error = error;

    public StackError TakeError()
    {
        var error = Error;
        Error = StackError.None;
        return error;
    }

    /// <summary>Keeps the options of a connection beyond its end.</summary>
    /// <param name="options"><c>default</c>: as they are.</param>
    public void Keep(in TcpSocketOptions options)
    {
        if (options != default)
            (_settings ??= new Settings()).Options = options;
    }

    /// <summary>Sets or reads an option that the stack does not need. Null: the request is about something else.</summary>
    public LinkAnswer? Hint(LinkSocketRequest request)
    {
        if (request is SetOptionRequest)
            return (_settings ??= new Settings()).Hints.Answer(request, LinkSocketType.Stream, family);
        return request is GetOptionRequest ? Hints.Answer(request, LinkSocketType.Stream, family) : null;
    }

    public LinkAnswer Set(SetOptionRequest request)
    {
        if (Hint(request) is { } hint)
            return hint;
        var settings = _settings ??= new Settings();
        var option = LinkOptions.Map(request.Level, request.Name);
        var isReuse = LinkOptions.IsReuseAddress(request.Level, request.Name) || LinkOptions.IsReusePort(request.Level, request.Name);
        if (option is null && !isReuse)
            return request.Failed(StackError.NoSuchOption);
        if (!LinkOptions.TryDecode(request.Level, option, request.Value.Span, out var value))
            return request.Failed(LinkOptions.RefusalOf(option));
        if (LinkOptions.IsReuseAddress(request.Level, request.Name))
        {
            settings.Options = settings.Options with { ReuseAddress = value != 0 };
            return request.Done();
        }

        if (LinkOptions.IsReusePort(request.Level, request.Name))
        {
            settings.Options = settings.Options with { ReusePort = value != 0 };
            return request.Done();
        }

        var error = SocketOptions.Set(ref settings.Options, option!.Value, value);
        return error == StackError.None ? request.Done() : request.Failed(error);
    }

    /// <param name="defaults">The stack's, for options that nobody has set.</param>
    public LinkAnswer Get(GetOptionRequest request, in TcpSocketOptions defaults)
    {
        if (LinkOptions.Fixed(request.Level, request.Name, family, LinkSocketType.Stream, listens: false) is { } known)
            return request.Value(known);
        if (Hint(request) is { } hint)
            return hint;
        if (LinkOptions.IsTcpInfo(request))
            return LinkOptions.Encode(request, default(TcpInfo));
        if (LinkOptions.IsReuseAddress(request.Level, request.Name))
            return request.Value(Options.ReuseAddress ? 1 : 0);
        if (LinkOptions.IsReusePort(request.Level, request.Name))
            return request.Value(Options.ReusePort ? 1 : 0);
        return LinkOptions.Map(request.Level, request.Name) switch
        {
            null => request.Failed(StackError.NoSuchOption),
            SocketOption.PathMtu => request.Failed(StackError.NotConnected),
            SocketOption.Error => request.Value((int)TakeError()),
            { } option => LinkOptions.Encode(request, option, SocketOptions.OrDefault(option, SocketOptions.Get(Options, option), defaults)),
        };
    }

    private sealed class Settings
    {
        public TcpSocketOptions Options;
        public SocketHints Hints;
    }
}
