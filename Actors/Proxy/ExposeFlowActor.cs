using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Dispatch;
using Tapwire.Actors.Link;
using Tapwire.Links;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Proxy;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Wires;

namespace Tapwire.Actors.Proxy;

/// <summary>A peer in Tapwire's network whose datagrams go to a service of the host. Each peer has a socket of its own, so that answers find it.</summary>
internal sealed class ExposeFlowActor(ProxyContext context, IpEndpoint client, Destination target) : FlowActor(context, client, target)
{
    /// <summary>Datagrams read per message, before another actor has its turn.</summary>
    private const int ReadsPerTurn = 64;

    private HostDatagramSocket? _socket;

    public static Props Props(ProxyContext context, IpEndpoint client, Destination target) =>
        Akka.Actor.Props.Create(() => new ExposeFlowActor(context, client, target));

    protected override ResolveScope Scope => ResolveScope.Host;

    protected override void PostStop()
    {
        _socket?.Dispose();
        base.PostStop();
    }

    protected override void Open(IpEndpoint target)
    {
        try
        {
            _socket = HostDatagramSocket.Connect(target);
            _socket.Start(Proxy.Sockets.Reactor, LinkReady.To(Self));
            Opened();
        }
        catch (HostSocketException e)
        {
            Fail(e.Message);
        }
    }

    protected override void Send(PacketBuffer data)
    {
        if (_socket!.Send(default, data, null) != StackError.None)
            Drop();
        data.Release();
    }

    protected override void WhileOpen() => Receive<LinkReady>(_ =>
    {
        for (var reads = 0; reads < ReadsPerTurn; reads++)
        {
            switch (_socket!.Read(Proxy.Sockets.Pool, BufferPool.HeaderRoom, out var data, out var _))
            {
                case ReadResult.Data:
                    Answer(data!);
                    break;
                case ReadResult.Empty:
                    return;
                default:
                    Log.Debug("Datagrams of {Client}: the service does not take them", Client);
                    break;
            }
        }

        Context.GoOnLater(LinkReady.TellReadable);
    });
}
