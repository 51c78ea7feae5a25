using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Dispatch;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Wires;

namespace Tapwire.Actors.Link;

/// <summary>
/// One control connection: passes requests to the link actor, and answers to the client. A client that breaks the protocol is disconnected, and the log says so. Its
/// sockets live on as long as their descriptors do.
/// </summary>
internal sealed class LinkSessionActor : OwningActor
{
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly LinkSession _session;
    private readonly RefusalLog _refusals;
    private readonly IReactor _reactor;
    private readonly List<LinkRequest> _requests = [];

    public LinkSessionActor(LinkSession session, RefusalLog refusals, IReactor reactor)
    {
        _session = session;
        _refusals = refusals;
        _reactor = reactor;
        Receive<LinkReady>(_ =>
        {
            _session.Flush();
            ReadRequests();
        });
        Receive<LinkReply>(reply => _session.Send(reply.Answer, reply.Descriptor));
        Receive<Stopping>(_ => Context.Stop(Self));
    }

    /// <param name="refusals">Shared by all sessions, so that a client that is disconnected and connects again cannot flood the log.</param>
    public static Props Props(LinkSession session, RefusalLog refusals, IReactor reactor) =>
        Akka.Actor.Props.Create(() => new LinkSessionActor(session, refusals, reactor));

    protected override void PreStart()
    {
        _session.Start(_reactor, LinkReady.To(Self));
    }

    protected override void PostStop() => _session.Dispose();

    private void ReadRequests()
    {
        ReadResult read;
        try
        {
            read = _session.ReadRequests(_requests);
        }
        catch (LinkProtocolException e)
        {
            _refusals.Warn(_log, "Link client with process id {ProcessId} is disconnected: {Reason}", _session.Peer.ProcessId, e.Message);
            _requests.ForEach(GuestCalls.Drop);
            _requests.Clear();
            Context.Stop(Self);
            return;
        }

        foreach (var request in _requests)
            Context.Parent.Tell(new LinkCall(request, _session.Peer));
        _requests.Clear();
        if (read == ReadResult.Data)
            Context.GoOnLater(LinkReady.TellReadable);
        else if (read == ReadResult.Closed)
            Context.Stop(Self);
    }
}
