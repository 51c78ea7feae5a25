using Akka.Actor;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Posix;
using Tapwire.Stack;

namespace Tapwire.Actors.Link;

/// <summary>Requests to look up names, which the driver's resolver carries out.</summary>
internal static class NameCalls
{
    /// <summary>How long an application waits, however many servers there are.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(45);

    /// <param name="request">A <see cref="ResolveRequest"/> or a <see cref="BrowseRequest"/>.</param>
    public static void Ask(LinkRequest request, IActorRef names, IActorRef session, IActorRef self)
    {
        if (request is BrowseRequest browse)
            BrowseCalls.Ask(browse, names, session, self);
        else
            Ask((ResolveRequest)request, names, session, self);
    }

    /// <summary>Asks the resolver, and answers the session. What the driver has no server for is the application's own matter: its C library asks the host.</summary>
    private static void Ask(ResolveRequest request, IActorRef names, IActorRef session, IActorRef self)
    {
        if (KindOf(request) is not { } kind)
        {
            session.Tell(new LinkReply(request.Refused((int)StackError.AddressFamilyNotSupported, "Addresses are of AF_INET or AF_INET6.")));
            return;
        }

        names.Ask<Resolved>(new Resolve(request.Name, kind) { Scope = ResolveScope.Network }, Patience).PipeTo(session, self,
            resolved => new LinkReply(AnswerOf(request, resolved)),
            _ => new LinkReply(Refused(request, LookupResult.TimedOut)));
    }

    /// <summary>The same for this process itself.</summary>
    public static async Task<LinkAnswer> AskAsync(ResolveRequest request, IActorRef names, CancellationToken cancellationToken)
    {
        try
        {
            return AnswerOf(request, await names.Ask<Resolved>(new Resolve(request.Name, KindOf(request)!.Value) { Scope = ResolveScope.Network }, Patience, cancellationToken).ConfigureAwait(false));
        }
        catch (AskTimeoutException)
        {
            return Refused(request, LookupResult.TimedOut);
        }
    }

    private static LookupKind? KindOf(ResolveRequest request) => request switch
    {
        { IsReverse: true } => LookupKind.Name,
        { Family: SocketFamily.Unspecified } => LookupKind.Addresses,
        { Family: SocketFamily.V4 } => LookupKind.AddressesV4,
        { Family: SocketFamily.V6 } => LookupKind.AddressesV6,
        _ => null,
    };

    private static LinkAnswer AnswerOf(ResolveRequest request, Resolved resolved) =>
        resolved.Result == LookupResult.Found
            ? request.Found(resolved.Addresses, resolved.CanonicalName, resolved.Interface is { } index ? (uint)InterfaceNumbers.Of(index) : 0) : Refused(request, resolved.Result);

    private static LinkAnswer Refused(ResolveRequest request, LookupResult result)
    {
        var name = request.Name;
        var (error, reason) = result switch
        {
            LookupResult.NoSuchName => (LinkErrno.NoEntry, request.IsReverse ? $"{name} has no name." : $"There is no host '{name}'."),
            LookupResult.NoData when request.IsReverse => (LinkErrno.NoData, $"{name} has no name."),
            LookupResult.NoData => (LinkErrno.NoData, $"'{name}' has no {(request.Family switch
            {
                SocketFamily.V4 => "IPv4 ",
                SocketFamily.V6 => "IPv6 ",
                _ => "",
            })}address."),
            LookupResult.TimedOut => ((int)StackError.TimedOut, $"No name server has answered in time about '{name}'; tapwire.dns.servers names them."),
            LookupResult.NotAName => ((int)StackError.InvalidArgument, request.IsReverse ? $"'{name}' is no address." : $"'{name}' is no name of a host."),
            LookupResult.NoServer => (LinkErrno.NoServer, $"The driver has no name server for '{name}'; give it one: tapwire up --dns ADDRESS, or tapwire.dns.servers."),
            LookupResult.Busy => (LinkErrno.ServerFailure, "Too many names are being looked up; try again."),
            _ => (LinkErrno.ServerFailure, $"The name servers cannot say whether there is a host '{name}'; look at their logs, or try again."),
        };
        return request.Refused(error, reason);
    }
}
