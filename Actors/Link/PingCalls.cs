using Akka.Actor;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;

namespace Tapwire.Actors.Link;

/// <summary>Requests for an echo: the stack sends it.</summary>
internal static class PingCalls
{
    public static void Ask(PingRequest ping, IActorRef stack, IActorRef session, IActorRef self)
    {
        var question = new Ping(ping.Destination.Endpoint.Address, ping.Size, TimeSpan.FromMilliseconds(ping.TimeoutMilliseconds)) { Zone = ping.Destination.Zone };
        stack.Ask<PingAnswer>(question, question.Timeout + LinkActor.Patience).PipeTo(session, self, answer => new LinkReply(answer.Error != StackError.None ? ping.Failed(answer.Error)
            : ping.Replied(answer.RoundTrip, Sockaddr.From(new(answer.From, 0), ping.Destination.Family), answer.HopLimit)), _ => new LinkReply(ping.Failed(StackError.TimedOut)));
    }
}
