using System.Runtime.CompilerServices;
using Akka.Actor.Internal;
using Akka.Dispatch;
using Akka.Dispatch.SysMsg;

namespace Akka.Actor;

/// <summary>The handle of an actor in this process.</summary>
public class LocalActorRef : ActorRefWithCell
{
    private readonly ActorCell _cell;

    public LocalActorRef(
        ActorSystemImpl system,
        Props props,
        MessageDispatcher dispatcher,
        MailboxType mailboxType,
        IInternalActorRef supervisor,
        ActorPath path)
    {
        Path = path;
        _cell = NewActorCell(system, this, props, dispatcher, supervisor);
        _cell.Init(sendSupervise: true, mailboxType);
    }

    public override ActorPath Path { get; }

    public ActorCell Cell => _cell;

    public override ICell Underlying => _cell;

    public override IActorRefProvider Provider => _cell.SystemImpl.Provider;

    public override IInternalActorRef Parent => _cell.Parent;

    public override IEnumerable<IActorRef> Children => _cell.GetChildren();

    public override bool IsLocal => true;

    public override bool IsTerminated => _cell.IsTerminated;

    protected ActorSystem System => _cell.System;

    protected Props Props => _cell.Props;

    protected MessageDispatcher Dispatcher => _cell.Dispatcher;

    protected IInternalActorRef Supervisor => _cell.Parent;

    protected virtual ActorCell NewActorCell(
        ActorSystemImpl system,
        IInternalActorRef self,
        Props props,
        MessageDispatcher dispatcher,
        IInternalActorRef supervisor) => new(system, self, props, dispatcher, supervisor);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    protected override void TellInternal(object message, IActorRef sender) => _cell.SendMessage(sender, message);

    public override void SendSystemMessage(ISystemMessage message) => _cell.SendSystemMessage(message);

    public override void Start() => _cell.Start();

    public override void Stop() => _cell.Stop();

    public override void Suspend() => _cell.Suspend();

    public override void Resume(Exception causedByFailure = null) => _cell.Resume(causedByFailure);

    public override void Restart(Exception cause) => _cell.Restart(cause);

    public override IInternalActorRef GetSingleChild(string name) => _cell.GetSingleChild(name);

    public override IActorRef GetChild(IReadOnlyList<string> name)
    {
        IActorRef current = this;
        for (var i = 0; i < name.Count; i++)
        {
            var element = name[i];
            switch (current)
            {
                case LocalActorRef local:
                    current = element switch
                    {
                        ".." => local.Parent,
                        "" => local,
                        _ => local.GetSingleChild(element),
                    };
                    break;
                case IInternalActorRef other when !other.IsNobody():
                    return other.GetChild(name.Skip(i).ToArray());
                default:
                    return ActorRefs.Nobody;
            }
        }

        return current;
    }
}
