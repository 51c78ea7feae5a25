using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Interfaces;

namespace Tapwire.Actors.Sockets;

/// <summary>The DHCP sockets of a stack actor: the conversation of Messages/Dhcp.cs.</summary>
internal sealed class DhcpSockets(StackDesk desk)
{
    private readonly List<(DhcpSocket Socket, IActorRef Owner)> _open = [];

    /// <returns>False: the message belongs to another conversation, too.</returns>
    public bool Handle(object message, IActorRef sender)
    {
        switch (message)
        {
            case OpenDhcp open:
                Open(open.Interface, sender);
                return true;
            case SendDhcp send:
                Find(send.Interface)?.Send(send.Message.Span, send.Source, send.Destination, desk.Now);
                desk.PostPoll();
                return true;
            case ProbeAddress probe:
                Find(probe.Interface)?.Probe(probe.Address);
                desk.PostPoll();
                return true;
            case CloseDhcp close:
                Find(close.Interface)?.Close();
                _open.RemoveAll(each => IsOf(each.Socket, close.Interface));
                return true;
            case WireUp up:
                Tell(up.Interface, isUp: true);
                return false;
            case WireDown down:
                Tell(down.Interface, isUp: false);
                return false;
            default:
                return false;
        }
    }

    /// <summary>Passes on what has come.</summary>
    public void Tell(DhcpSocket socket)
    {
        var owner = _open.Find(each => each.Socket == socket).Owner ?? ActorRefs.Nobody;
        while (socket.TryReceive(out var message))
            owner.Tell(new DhcpReceived(message));
        while (socket.TryTakeClaim(out var address, out var by))
            owner.Tell(new AddressHeard(address, by));
    }

    private static bool IsOf(DhcpSocket socket, string name) => socket.Interface.Options.Name == name;

    private void Open(string name, IActorRef owner)
    {
        // One of an interface that is gone, whose name another has taken.
        _open.RemoveAll(each => !desk.Stack.Interfaces.Contains(each.Socket.Interface));
        if (desk.Stack.Interfaces.FirstOrDefault(each => each.Options.Name == name) is not { } on)
        {
            owner.Tell(new DhcpOpenFailed(StackError.AddressNotAvailable));
        }
        else if (desk.Stack.OpenDhcp(on) is not { } socket)
        {
            owner.Tell(new DhcpOpenFailed(on.Options.Medium == Medium.Ethernet ? StackError.AddressInUse : StackError.NotSupported));
        }
        else
        {
            _open.Add((socket, owner));
            owner.Tell(new DhcpOpened(on.Options.HardwareAddress, on.Options.Mtu));
        }
    }

    private DhcpSocket? Find(string name) => _open.Find(each => IsOf(each.Socket, name)).Socket;

    private void Tell(byte index, bool isUp)
    {
        foreach (var (socket, owner) in _open)
        {
            if (socket.Interface.Index == index && desk.Stack.Interfaces.Contains(socket.Interface))
                owner.Tell(new DhcpWire(isUp));
        }
    }
}
