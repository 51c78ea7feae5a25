using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors.Sockets;

/// <summary>Reserved ports and listening sockets of a stack actor: the conversation of Messages/Listen.cs.</summary>
internal sealed class ListeningSockets(StackDesk desk, ShardSiblings siblings)
{
    /// <returns>False: the message belongs to another conversation.</returns>
    public bool Handle(object message, IActorRef sender)
    {
        switch (message)
        {
            case Accept accept:
                Accept(accept);
                return true;
            case Bind bind:
                Bind(bind, sender);
                return true;
            case Unbind unbind:
                TakeBinding(unbind.Id)?.Release();
                return true;
            case Listen listen:
                Listen(listen, sender);
                return true;
            case Unlisten unlisten:
                Unlisten(unlisten);
                return true;
            default:
                return false;
        }
    }

    /// <summary>Gives waiting connections to the listener's owner.</summary>
    public void Tell(SocketEntry entry, TcpListener listener)
    {
        for (; entry.Demand > 0 && listener.Accept() is { } socket; entry.Demand--)
        {
            var accepted = desk.Sockets.Add(socket, ActorRefs.Nobody, desk.Latest);
            accepted.Established = true;
            entry.Owner.Tell(new Accepted(accepted.Id, socket.Local, socket.Remote) { Interface = desk.InterfaceOf(socket.Local.Address) });
        }
    }

    /// <summary>Takes a reserved port out of the table for its one use; null if there is none with this id.</summary>
    public TcpBinding? TakeBinding(SocketId id)
    {
        if (desk.Sockets.Find(id) is not { Socket: TcpBinding binding } entry)
            return null;
        desk.Sockets.Remove(entry);
        return binding;
    }

    private void Bind(Bind bind, IActorRef asker) =>
        siblings.TryTwice(last =>
        {
            var error = desk.Stack.Tcp.Bind(bind.Local, bind.Sharing, out var binding);
            if (error == StackError.AddressInUse && !last)
                return false;
            asker.Tell(binding is null ? new BindFailed(error) : new Bound(desk.Sockets.Add(binding, asker, desk.Now).Id, binding.Local) { Interface = desk.InterfaceOf(binding.Local.Address) });
            return true;
        });

    private void Accept(Accept accept)
    {
        if (desk.Sockets.Find(accept.Listener) is not { Socket: TcpListener listener } entry)
            return;
        entry.Demand += accept.Count;
        Tell(entry, listener);
    }

    private void Unlisten(Unlisten unlisten)
    {
        if (desk.Sockets.Find(unlisten.Id) is not { Socket: TcpListener listener } entry)
            return;
        listener.Close(desk.Now);
        desk.Sockets.Remove(entry);
        desk.PostPoll();
    }

    private void Listen(Listen request, IActorRef sender)
    {
        StackError error;
        TcpListener? listener;
        if (request.Binding is { } bindingId)
        {
            if (TakeBinding(bindingId) is not { } binding)
            {
                sender.Tell(new ListenFailed(StackError.InvalidArgument));
                return;
            }

            error = binding.Listen(request.Backlog, request.Options, out listener);
            if (listener is null)
                binding.Release();
        }
        else
        {
            error = desk.Stack.Tcp.Listen(request.Local, request.Backlog, request.Options, out listener);
        }

        sender.Tell(listener is null ? new ListenFailed(error) : new Listening(desk.Sockets.Add(listener, sender, desk.Now).Id, listener.Local) { Interface = desk.InterfaceOf(listener.Local.Address) });
    }
}
