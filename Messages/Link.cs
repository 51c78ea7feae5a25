using Akka.Actor;
using Akka.Event;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;
using Tapwire.Wires;

namespace Tapwire.Messages;

/// <summary>The reactor → a socket's or a session's actor: its descriptor has become ready. No answer.</summary>
public sealed class LinkReady : IDeadLetterSuppression
{
    /// <summary>The readiness handler of an actor's descriptor. Its state is the actor's reference, so that no handler is made for each descriptor.</summary>
    public static readonly Action<object?, Readiness> Tell = static (actor, readiness) => ((IActorRef)actor!).Tell(Of(readiness), ActorRefs.NoSender);

    /// <summary>As <see cref="Tell"/>, for a descriptor whose handler has no state.</summary>
    public static Action<Readiness> To(IActorRef actor) => readiness => Tell(actor, readiness);

    /// <summary>For an actor that has read a batch and may find more: it continues after others have had their turn.</summary>
    public static readonly Action<object?> TellReadable = static actor => ((IActorRef)actor!).Tell(Of(Readiness.Readable), ActorRefs.NoSender);

    private static readonly LinkReady[] All = [.. Enumerable.Range(0, 8).Select(bits => new LinkReady((Readiness)bits))];

    private LinkReady(Readiness readiness) => Readiness = readiness;

    public Readiness Readiness { get; }

    public static LinkReady Of(Readiness readiness) => All[(int)readiness];
}

/// <summary>LinkSessionActor → LinkActor, and on to the socket's actor with the same sender: a request of an application. Answered by one
/// <see cref="LinkReply"/>.</summary>
/// <param name="Peer">The credentials of the session's owner.</param>
public sealed record LinkCall(LinkRequest Request, PeerCredentials Peer = default);

/// <summary>A socket's actor or LinkActor → LinkSessionActor: the answer for the application, with a descriptor to pass if there is one.</summary>
public sealed record LinkReply(LinkAnswer Answer, ApplicationEnd? Descriptor = null);

/// <summary>ConnectionActor → LinkActor: this socket will listen. The message owns its descriptor, which goes to a listener's actor; then the sender is told to
/// stop.</summary>
/// <param name="Context">The context of the shard that has the port.</param>
/// <param name="Remembered">Options of the socket that the stack does not know, by level and name. Never changed.</param>
public sealed record BecomeListener(SocketContext Context, AcceptLink Link, SocketFamily Family, SocketId? Binding, TcpSocketOptions Options, ListenRequest Request,
    IActorRef Session, IReadOnlyDictionary<(int Level, int Name), byte[]>? Remembered = null)
{
    /// <summary>Closes the descriptor, when there will be no listener.</summary>
    public void Refuse()
    {
        Link.Dispose();
        if (Binding is { } binding)
            Context.Stack.Tell(new Unbind(binding));
        Session.Tell(new LinkReply(Request.Failed(StackError.ConnectionAborted)));
    }
}

/// <summary>What can be asked of a socket that has ended while an application holds its descriptor.</summary>
public interface IEndedSocket
{
    /// <summary>Answers as Linux does for a closed socket: names and options stay, and there is no peer.</summary>
    LinkAnswer Answer(LinkSocketRequest request);
}

/// <summary>A socket's actor → LinkActor: the socket has ended.</summary>
/// <param name="Remains">Null: the application has closed its descriptor, and nobody will ask. Otherwise the message owns it; LinkActor answers from it in the sender's
/// stead, and tells the sender to stop.</param>
/// <param name="IdleOn">The sender has nothing left and waits for the next <see cref="JoinSocket"/>: the shard that it runs on. Null: it ends.</param>
public sealed record SocketEnded(ulong Handle, IEndedSocket? Remains = null, int? IdleOn = null) : IDeadLetterSuppression;

/// <summary>
/// The owner of a descriptor → ConnectionActor, its first message, or LinkListenerActor → LinkActor, which has that actor made: join the descriptor to a socket
/// of the stack. The actor owns the descriptor from now on. No answer; the parent is told of the socket's end.
/// </summary>
/// <param name="Accepted">The connection to attach to; null for a socket that an application has just made.</param>
/// <param name="Remembered">As in <see cref="BecomeListener"/>.</param>
public sealed record JoinSocket(SocketContext Context, StreamEnd Link, SocketFamily Family, TcpSocketOptions Options = default, Accepted? Accepted = null,
    IReadOnlyDictionary<(int Level, int Name), byte[]>? Remembered = null)
{
    /// <summary>The actor does not stop when the application has closed, but says so (<see cref="SocketEnded"/>) and takes the next socket: making an actor takes longer than
    /// many a connection's work.</summary>
    public bool IsOneOfMany { get; init; }

    /// <summary>The handle of the application's listener that has accepted the connection; 0: none has.</summary>
    public ulong Listener { get; init; }

    /// <summary>Resets both sides, when no actor can take the message.</summary>
    public void Refuse()
    {
        Link.Reset();
        if (Accepted is not null)
            Context.Stack.Tell(new Abort(Accepted.Id));
    }
}
