using Akka.Actor;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Wires;

namespace Tapwire.Actors.Link;

/// <summary>Requests for a list of the driver's sockets: each shard's stack has its own, and the link knows whose the applications' are.</summary>
internal static class SocketCalls
{
    /// <summary>Asks the shard that the cursor is in. The answer comes to the link's actor as <see cref="Found"/>.</summary>
    public static void Ask(ListSocketsRequest request, IReadOnlyList<SocketContext> shards, IActorRef session, IActorRef self)
    {
        var (shard, from) = ((int)(request.Cursor >> 32), (int)(request.Cursor & int.MaxValue));
        if (shard >= shards.Count)
        {
            session.Tell(new LinkReply(request.Failed(StackError.InvalidArgument)));
            return;
        }

        shards[shard].Stack.Ask<SocketsPage>(new GetSockets(request.Filter, from, request.Most), LinkActor.Patience).PipeTo(self, session,
            page => new Found(request, page, shard, shards.Count, session), _ => new Found(request, null, shard, shards.Count, session));
    }

    /// <summary>A shard's answer, to the link's actor.</summary>
    /// <param name="Page">Null: the shard has not answered.</param>
    internal sealed record Found(ListSocketsRequest Request, SocketsPage? Page, int Shard, int Shards, IActorRef Session)
    {
        /// <summary>Answers the session. The programs' names are read by a thread of the pool: a file below /proc may have to wait for its process.</summary>
        public void Answer(ApplicationSockets applications)
        {
            if (Page is null)
            {
                Session.Tell(new LinkReply(Request.Failed(StackError.TimedOut)));
                return;
            }

            var owners = applications.OwnersOf(Page.Sockets.Select(static socket => socket.Owner));
            _ = Task.Run(() => Session.Tell(new LinkReply(Request.Listed(SocketJson.Write([.. Owned(Page, owners)], Next)))));
        }

        private ulong? Next => Page!.Next is { } index ? ((ulong)Shard << 32) | (uint)index : Shard + 1 < Shards ? (ulong)(Shard + 1) << 32 : null;

        private IEnumerable<ConnectionStatus> Owned(SocketsPage page, Dictionary<IActorRef, PeerCredentials> owners)
        {
            var names = new Dictionary<int, string>();
            foreach (var (status, actor) in page.Sockets)
            {
                SocketOwner? owner;
                if (owners.TryGetValue(actor, out var peer))
                {
                    if (!names.TryGetValue(peer.ProcessId, out var name))
                        names[peer.ProcessId] = name = ProcFile.Text($"/proc/{peer.ProcessId}/comm").TrimEnd('\n');
                    owner = new SocketOwner("application", name, peer.ProcessId, peer.UserId);
                }
                else
                {
                    owner = OwnPart(actor);
                }

                if (Request.Filter.Process == 0 || owner?.Process == Request.Filter.Process)
                    yield return status with { Owner = owner };
            }
        }

        /// <summary>The part of the driver that an actor belongs to, by its place below the driver's actor.</summary>
        private static SocketOwner? OwnPart(IActorRef actor)
        {
            if (actor.IsNobody())
                return null;
            var path = actor.Path.Elements;
            if (path.Count < 3)
                return new SocketOwner("driver", "");
            var name = path[2].TrimEnd('0', '1', '2', '3', '4', '5', '6', '7', '8', '9').TrimEnd('-');
            return name is "link" or "proxy" or "names" or "guests" ? new SocketOwner(name, "") : new SocketOwner("service", name);
        }
    }
}
