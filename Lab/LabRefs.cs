using System.Runtime.CompilerServices;
using Akka.Actor;

namespace Tapwire;

/// <summary>
/// An actor of a host as programs have it. What they tell it waits until no program runs any more, and whom it answers hears of it by the loop: so neither sees what the other does in the middle of it.
/// </summary>
internal sealed class ProgramSideRef(IActorRef actor, LabLoop loop, int host) : MinimalActorRef
{
    // A sender is the same to the actor each time: it is the owner of a socket.
    private readonly ConditionalWeakTable<IActorRef, ActorSideRef> _senders = [];

    /// <inheritdoc/>
    public override ActorPath Path => actor.Path;

    /// <inheritdoc/>
    public override IActorRefProvider Provider => ((IInternalActorRef)actor).Provider;

    /// <inheritdoc/>
    protected override void TellInternal(object message, IActorRef sender)
    {
        IActorRef from = sender.IsNobody() ? sender : _senders.GetValue(sender, program => new ActorSideRef(program, loop));
        loop.FromProgram(new LabLetter(host, actor, message, from));
    }
}

/// <summary>A program's socket, or a question of it, as the host's actors have it.</summary>
internal sealed class ActorSideRef(IActorRef program, LabLoop loop) : MinimalActorRef
{
    /// <inheritdoc/>
    public override ActorPath Path => program.Path;

    /// <inheritdoc/>
    public override IActorRefProvider Provider => ((IInternalActorRef)program).Provider;

    /// <inheritdoc/>
    protected override void TellInternal(object message, IActorRef sender) => loop.ToProgram(new LabLetter(0, program, message, sender));
}

/// <summary>A message between programs and actors.</summary>
/// <param name="Host">The number of the host whose it is.</param>
/// <param name="Target">Null: the message is an action.</param>
internal readonly record struct LabLetter(int Host, IActorRef? Target, object Message, IActorRef? Sender)
{
    public void Deliver()
    {
        if (Target is { } target)
            target.Tell(Message, Sender);
        else
            ((Action)Message)();
    }

    /// <summary>Nobody takes it any more.</summary>
    public void Drop()
    {
        if (Message is Messages.IOwnsBuffers owner)
            owner.Release();
    }
}
