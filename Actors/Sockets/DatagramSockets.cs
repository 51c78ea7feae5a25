using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors.Sockets;

/// <summary>The UDP sockets of a stack actor: the conversation of Messages/Datagram.cs.</summary>
internal sealed class DatagramSockets(StackDesk desk, ShardSiblings siblings)
{
    /// <returns>False: the message belongs to another conversation.</returns>
    public bool Handle(object message, IActorRef sender)
    {
        switch (message)
        {
            case SendDatagram send:
                Send(send, sender);
                return true;
            case ReceiveDatagrams demand:
                Receive(demand);
                return true;
            case OpenDatagram open:
                Open(open, sender);
                return true;
            case ConnectDatagram connect:
                Connect(connect, sender);
                return true;
            case FindPath find:
                var error = desk.Stack.FindPath(find.Destination, find.Source, find.Discovery, desk.Now, out var mtu, out var least);
                sender.Tell(new PathFound(error, mtu, least));
                return true;
            case OrderAddresses order:
                order.Asker.Tell(order.Answer with { Addresses = desk.Stack.InOrder(order.Answer.Addresses) });
                return true;
            case ChangeMembership change:
                Change(change.Id, sender, socket => socket.ChangeMembership(change.Change));
                return true;
            case ChooseGroupInterface choose:
                Change(choose.Id, sender, socket => socket.ChooseInterface(choose.Of));
                return true;
            case FindGroupInterface wanted:
                sender.Tell(new GroupInterfaceFound(desk.Stack.Udp.FindInterface(wanted.Change, out var index), index));
                return true;
            case CloseDatagram close:
                Close(close);
                return true;
            default:
                return false;
        }
    }

    /// <summary>Passes a socket's events on to its owner.</summary>
    public void Tell(SocketEntry entry, UdpSocket socket, SocketEvents events)
    {
        var error = socket.TakeError();
        if (socket.TryTakeReport(out var report))
        {
            do
                entry.Owner.Tell(new DatagramError(report.Error, report));
            while (socket.TryTakeReport(out report));
        }
        else if (error != StackError.None)
        {
            entry.Owner.Tell(new DatagramError(error));
        }

        while (entry.Demand > 0 && socket.TryReceive(out var data, out var from, out var info))
        {
            var received = DatagramReceived.Of(data, from, info, info.Arrived is { } arrived ? StampOf(arrived) : 0);
            entry.Demand -= received.CreditUsed();
            entry.Owner.Tell(received);
        }

        if ((events & SocketEvents.Closed) == 0)
            return;
        desk.Sockets.Remove(entry);
        entry.Owner.Tell(new Closed(StackError.AddressNotAvailable));
    }

    /// <summary>The time of day in nanoseconds since 1970.</summary>
    private long StampOf(Instant arrived) =>
        (desk.Context.Clock.GetUtcNow() - DateTimeOffset.UnixEpoch - (desk.Now - arrived)).Ticks * TimeSpan.NanosecondsPerTick;

    private void Open(OpenDatagram open, IActorRef asker) =>
        siblings.TryTwice(last =>
        {
            var error = (open.Kind == DatagramKind.Udp ? desk.Stack.Udp : desk.Stack.Echo).Bind(open.Local, open.Options, out var socket);
            if (error == StackError.AddressInUse && !last)
                return false;
            asker.Tell(socket is null ? new DatagramOpenFailed(error) : new DatagramOpened(desk.Sockets.Add(socket, asker, desk.Now).Id, socket.Local) { Interface = desk.InterfaceOf(socket.Local.Address) });
            if (open.Options.Memberships.Count != 0)
                desk.PostPoll();
            return true;
        });

    private void Change(SocketId id, IActorRef sender, Func<UdpSocket, StackError> change)
    {
        var error = desk.Sockets.Find(id)?.Socket is UdpSocket socket ? change(socket) : StackError.NotConnected;
        sender.Tell(new OptionAnswer(error, 0));
        desk.PostPoll(); // the network is told
    }

    private void Connect(ConnectDatagram connect, IActorRef sender)
    {
        if (desk.Sockets.Find(connect.Id)?.Socket is not UdpSocket socket)
            return;
        var error = desk.TryFindSource(connect.Zone, connect.Remote?.Address ?? default, out var source) ? socket.Connect(connect.Remote ?? default, source) : StackError.NoSuchDevice;
        sender.Tell(new DatagramConnected(error, socket.Local) { Interface = desk.InterfaceOf(socket.Local.Address) });
    }

    private void Receive(ReceiveDatagrams demand)
    {
        if (desk.Sockets.Find(demand.Id) is not { Socket: UdpSocket socket } entry)
            return;
        entry.Demand += demand.Count;
        Tell(entry, socket, SocketEvents.Readable);
    }

    private void Send(SendDatagram send, IActorRef sender)
    {
        if (desk.Sockets.Find(send.Id)?.Socket is not UdpSocket socket)
        {
            send.Release();
            sender.Tell(new DatagramSent(StackError.NotConnected));
            return;
        }

        sender.Tell(new DatagramSent(socket.Send(send.Data, send.To, send.Options, desk.Now)));
        desk.PostPoll();
    }

    private void Close(CloseDatagram close)
    {
        if (desk.Sockets.Find(close.Id) is not { Socket: UdpSocket socket } entry)
            return;
        socket.Close();
        desk.Sockets.Remove(entry);
        desk.PostPoll(); // its groups are left
    }
}
