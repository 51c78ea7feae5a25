using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Dhcp.Server;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Sockets;

/// <summary>The DHCP sockets of a stack actor, of both families: the conversation of Messages/Dhcp.cs.</summary>
internal sealed class DhcpSockets(StackDesk desk)
{
    private readonly List<Open> _open = [];

    /// <returns>False: the message belongs to another conversation, too.</returns>
    public bool Handle(object message, IActorRef sender)
    {
        switch (message)
        {
            case OpenDhcp open:
                TryOpen<DhcpSocket>(open.Interface, sender, on => desk.Stack.OpenDhcp(on), static on => new DhcpOpened(on.Options.HardwareAddress, on.Options.Mtu));
                return true;
            case OpenDhcp6 open:
                TryOpen<Dhcp6Socket>(open.Interface, sender, on => desk.Stack.OpenDhcp6(on, desk.Now), static on => new Dhcp6Opened(on.Options.HardwareAddress, on.RouterAdvice));
                desk.PostPoll();
                return true;
            case SendDhcp send:
                Find<DhcpSocket>(send.Interface)?.Send(send.Message.Span, send.Source, send.Destination, desk.Now);
                desk.PostPoll();
                return true;
            case SendDhcp6 send:
                Find<Dhcp6Socket>(send.Interface)?.Send(send.Message.Span, desk.Now);
                desk.PostPoll();
                return true;
            case OpenDhcpServer open:
                OpenServer(open.Interface, sender);
                return true;
            case SendDhcpReply send:
                Find<DhcpServerSocket>(send.Interface)?.Send(send.Reply.Message.Span, send.Source, send.Reply.Destination, send.Reply.Hardware);
                desk.PostPoll();
                return true;
            case SendDhcp6Reply send:
                Find<Dhcp6ServerSocket>(send.Interface)?.Send(send.Message.Span, send.Destination, desk.Now);
                desk.PostPoll();
                return true;
            case CloseDhcpServer close:
                Close<DhcpServerSocket>(close.Interface);
                Close<Dhcp6ServerSocket>(close.Interface);
                return true;
            case ProbeAddress probe:
                Find<DhcpSocket>(probe.Interface)?.Probe(probe.Address);
                desk.PostPoll();
                return true;
            case CloseDhcp close:
                Close<DhcpSocket>(close.Interface);
                return true;
            case CloseDhcp6 close:
                Close<Dhcp6Socket>(close.Interface);
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
    public void Tell(DhcpPort port)
    {
        var owner = _open.Find(each => each.Port == port)?.Owner ?? ActorRefs.Nobody;
        while (port.TryReceive(out var message, out var source))
            owner.Tell(ReceivedBy(port, message, source));
        while (port is DhcpSocket socket && socket.TryTakeClaim(out var address, out var by))
            owner.Tell(new AddressHeard(address, by));
    }

    private static object ReceivedBy(DhcpPort port, ReadOnlyMemory<byte> message, IpAddress source) => port switch
    {
        Dhcp6Socket => new Dhcp6Received(message, source),
        Dhcp6ServerSocket => new Dhcp6ServerReceived(message, source),
        DhcpServerSocket => new DhcpServerReceived(message),
        _ => new DhcpReceived(message),
    };

    /// <summary>Tells the DHCPv6 client of an interface that one of its addresses has been given up.</summary>
    public void Tell(in DuplicateAddress duplicate)
    {
        foreach (var each in _open)
        {
            if (each.Port is Dhcp6Socket && each.Port.Interface == duplicate.Interface)
                each.Owner.Tell(new DuplicateHeard(duplicate.Address));
        }
    }

    /// <summary>Tells of what routers say about DHCPv6 since the last call.</summary>
    public void TellAdvice()
    {
        foreach (var each in _open)
        {
            if (each.Port is not Dhcp6Socket || each.Port.Interface.RouterAdvice is not { } advice || advice == each.Advised)
                continue;
            each.Advised = advice;
            each.Owner.Tell(new RouterAdvised(advice));
        }
    }

    private void TryOpen<T>(string name, IActorRef owner, Func<NetworkInterface, T?> open, Func<NetworkInterface, object> opened)
        where T : DhcpPort
    {
        // One of an interface that is gone, whose name another has taken.
        _open.RemoveAll(each => !desk.Stack.Interfaces.Contains(each.Port.Interface));
        if (desk.Stack.Interfaces.FirstOrDefault(each => each.Options.Name == name) is not { } on)
        {
            owner.Tell(new DhcpOpenFailed(StackError.AddressNotAvailable));
        }
        else if (open(on) is not { } port)
        {
            owner.Tell(new DhcpOpenFailed(Find<T>(name) is null ? StackError.NotSupported : StackError.AddressInUse));
        }
        else
        {
            _open.Add(new Open(port, owner) { Advised = on.RouterAdvice ?? RouterAdvice.None });
            owner.Tell(opened(on));
        }
    }

    /// <summary>The port of DHCPv6 belongs to the server, too, where the interface has IPv6.</summary>
    private void OpenServer(string name, IActorRef owner)
    {
        TryOpen<DhcpServerSocket>(name, owner, on => desk.Stack.OpenDhcpServer(on), static on => new DhcpServerOpened(on.Options.HardwareAddress, on.Options.Mtu));
        if (Find<DhcpServerSocket>(name) is { } opened && desk.Stack.OpenDhcp6Server(opened.Interface) is { } port)
            _open.Add(new Open(port, owner));
        desk.PostPoll();
    }

    private void Close<T>(string name)
        where T : DhcpPort
    {
        Find<T>(name)?.Close();
        _open.RemoveAll(each => each.Port is T && each.Port.Interface.Options.Name == name);
    }

    private T? Find<T>(string name)
        where T : DhcpPort => _open.Select(static each => each.Port).OfType<T>().FirstOrDefault(port => port.Interface.Options.Name == name);

    private void Tell(byte index, bool isUp)
    {
        foreach (var each in _open)
        {
            if (each.Port.Interface.Index == index && desk.Stack.Interfaces.Contains(each.Port.Interface))
                each.Owner.Tell(new DhcpWire(isUp));
        }
    }

    /// <summary>An open port.</summary>
    private sealed class Open(DhcpPort port, IActorRef owner)
    {
        public DhcpPort Port => port;

        public IActorRef Owner => owner;

        /// <summary>What the owner has been told of the routers' advice.</summary>
        public RouterAdvice Advised { get; set; }
    }
}
