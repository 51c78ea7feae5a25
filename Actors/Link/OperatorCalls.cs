using Akka.Actor;
using Akka.Event;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Wires;

namespace Tapwire.Actors.Link;

/// <summary>Requests that end something: a connection, or the driver. They are for operators only, as they concern everybody's programs.</summary>
internal static class OperatorCalls
{
    private const string NotPermitted = "Only the driver's own user and root may do that.";

    /// <param name="isOperator">The peer may.</param>
    public static void Ask(LinkCall call, bool isOperator, LinkContext link, RefusalLog refusals, ILoggingAdapter log, IActorRef session, IActorRef self)
    {
        if (!isOperator)
        {
            refusals.Warn(log, "Refused a {Request} of link client of user id {UserId}, process id {ProcessId}: not the driver's user", call.Request.Type, call.Peer.UserId, call.Peer.ProcessId);
            session.Tell(new LinkReply(call.Request is KillRequest kill ? kill.Refused(LinkErrno.NotPermitted, NotPermitted) : ((OperateRequest)call.Request).Refused(LinkErrno.NotPermitted, NotPermitted)));
            return;
        }

        if (call.Request is OperateRequest operate)
            session.Tell(new LinkReply(Operate(operate, call.Peer, link, log)));
        else
            KillAsync((KillRequest)call.Request, link.Sockets).PipeTo(session, self);
    }

    private static LinkAnswer Operate(OperateRequest request, PeerCredentials peer, LinkContext link, ILoggingAdapter log)
    {
        if (link.Operate is not { } operate)
            return request.Refused((int)StackError.NotSupported, "The driver belongs to a program, with which it ends.");
        if (request.Operation == DriverOperation.Stop)
            log.Info("Process id {ProcessId} of user id {UserId} stops the driver", peer.ProcessId, peer.UserId);
        else
            log.Info("Process id {ProcessId} of user id {UserId} has the settings read again", peer.ProcessId, peer.UserId);
        operate(request.Operation);
        return request.Done();
    }

    /// <summary>A connection is on one shard; which, its ports do not say.</summary>
    private static async Task<LinkReply> KillAsync(KillRequest request, IReadOnlyList<SocketContext> shards)
    {
        try
        {
            var killed = await Task.WhenAll(shards.Select(shard => shard.Stack.Ask<ConnectionKilled>(new KillConnection(request.Local, request.Remote), LinkActor.Patience)));
            return new LinkReply(killed.Any(static each => each.IsFound) ? request.Done() : request.Refused(LinkErrno.NoEntry, $"There is no connection of {request.Local} with {request.Remote}."));
        }
        catch (AskTimeoutException)
        {
            return new LinkReply(request.Failed(StackError.TimedOut));
        }
    }
}
