using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Tcp;

namespace Tapwire.Actors;

// Reserved ports and listening sockets: the conversation of Messages/Listen.cs.
public sealed partial class StackActor
{
    private bool IsOfListener(object message)
    {
        switch (message)
        {
            case Accept accept:
                Accept(accept);
                return true;
            case Bind bind:
                Bind(bind);
                return true;
            case Unbind unbind:
                TakeBinding(unbind.Id)?.Release();
                return true;
            case Listen listen:
                Listen(listen);
                return true;
            case Unlisten unlisten:
                Unlisten(unlisten);
                return true;
            default:
                return false;
        }
    }

    private void Bind(Bind bind)
    {
        var asker = Sender;
        TryTwice(last =>
        {
            var error = _stack.Tcp.Bind(bind.Local, bind.ReuseAddress, out var binding);
            if (error == StackError.AddressInUse && !last)
                return false;
            asker.Tell(binding is null ? new BindFailed(error) : new Bound(_sockets.Add(binding, asker).Id, binding.Local));
            return true;
        });
    }

    private void Accept(Accept accept)
    {
        if (_sockets.Find(accept.Listener) is not { Socket: TcpListener listener } entry)
            return;
        entry.Demand += accept.Count;
        TellAccepted(entry, listener);
    }

    private void Unlisten(Unlisten unlisten)
    {
        if (_sockets.Find(unlisten.Id) is not { Socket: TcpListener listener } entry)
            return;
        listener.Close(Now);
        _sockets.Remove(entry);
        PostPoll();
    }

    /// <summary>A reserved port, which leaves the table for its one use; null if there is none of that name.</summary>
    private TcpBinding? TakeBinding(SocketId id)
    {
        if (_sockets.Find(id) is not { Socket: TcpBinding binding } entry)
            return null;
        _sockets.Remove(entry);
        return binding;
    }

    private void Listen(Listen request)
    {
        StackError error;
        TcpListener? listener;
        if (request.Binding is { } bindingId)
        {
            if (TakeBinding(bindingId) is not { } binding)
            {
                Sender.Tell(new ListenFailed(StackError.InvalidArgument));
                return;
            }

            error = binding.Listen(request.Backlog, request.Options, out listener);
        }
        else
        {
            error = _stack.Tcp.Listen(request.Local, request.Backlog, request.Options, out listener);
        }

        Sender.Tell(listener is null ? new ListenFailed(error) : new Listening(_sockets.Add(listener, Sender).Id, listener.Local));
    }

    private void TellAccepted(SocketEntry entry, TcpListener listener)
    {
        for (; entry.Demand > 0 && listener.Accept() is { } socket; entry.Demand--)
        {
            var accepted = _sockets.Add(socket, ActorRefs.Nobody);
            accepted.Established = true;
            entry.Owner.Tell(new Accepted(accepted.Id, socket.Local, socket.Remote));
        }
    }
}
