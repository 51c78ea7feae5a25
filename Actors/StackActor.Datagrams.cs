using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors;

// UDP sockets: the conversation of Messages/Datagram.cs.
public sealed partial class StackActor
{
    private bool IsOfDatagrams(object message)
    {
        switch (message)
        {
            case SendDatagram send:
                Send(send);
                return true;
            case ReceiveDatagrams demand:
                Receive(demand);
                return true;
            case OpenDatagram open:
                Open(open);
                return true;
            case ConnectDatagram connect:
                Connect(connect);
                return true;
            case CloseDatagram close:
                Close(close);
                return true;
            default:
                return false;
        }
    }

    private void Open(OpenDatagram open)
    {
        var asker = Sender;
        TryTwice(last =>
        {
            var error = _stack.Udp.Bind(open.Local, open.Options, out var socket);
            if (error == StackError.AddressInUse && !last)
                return false;
            asker.Tell(socket is null ? new DatagramOpenFailed(error) : new DatagramOpened(_sockets.Add(socket, asker).Id, socket.Local));
            return true;
        });
    }

    private void Connect(ConnectDatagram connect)
    {
        if (_sockets.Find(connect.Id)?.Socket is not UdpSocket socket)
            return;
        var error = socket.Connect(connect.Remote ?? default);
        Sender.Tell(new DatagramConnected(error, socket.Local));
    }

    private void Receive(ReceiveDatagrams demand)
    {
        if (_sockets.Find(demand.Id) is not { Socket: UdpSocket socket } entry)
            return;
        entry.Demand += demand.Count;
        TellDatagrams(entry, socket, SocketEvents.Readable);
    }

    private void Send(SendDatagram send)
    {
        if (_sockets.Find(send.Id)?.Socket is not UdpSocket socket)
        {
            send.Release();
            Sender.Tell(new DatagramSent(StackError.NotConnected));
            return;
        }

        Sender.Tell(new DatagramSent(socket.Send(send.Data, send.To, Now)));
        PostPoll();
    }

    private void Close(CloseDatagram close)
    {
        if (_sockets.Find(close.Id) is not { Socket: UdpSocket socket } entry)
            return;
        socket.Close();
        _sockets.Remove(entry);
    }

    private void TellDatagrams(SocketEntry entry, UdpSocket socket, SocketEvents events)
    {
        if (socket.TakeError() is not StackError.None and var error)
            entry.Owner.Tell(new DatagramError(error));
        for (; entry.Demand > 0 && socket.TryReceive(out var data, out var from); entry.Demand--)
            entry.Owner.Tell(DatagramReceived.Of(data, from));
        if ((events & SocketEvents.Closed) == 0)
            return;
        _sockets.Remove(entry);
        entry.Owner.Tell(new Closed(StackError.AddressNotAvailable));
    }
}
