using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;

namespace Tapwire.Actors.Services;

/// <summary>Sends back what it receives (RFC 862). Received buffers go into the send queue as they are; what does not fit yet keeps the window closed.</summary>
public sealed class EchoActor(IActorRef stack, SocketId id) : StreamServiceActor(stack, id)
{
    private PacketBuffer? _head;
    private PacketBuffer? _tail;
    private bool _endOfStream;

    public static Props Props(IActorRef stack, SocketId id) => Akka.Actor.Props.Create(() => new EchoActor(stack, id));

    protected override void OnRead(ReadReady ready)
    {
        for (var buffer = ready.Chain; buffer is not null;)
        {
            var next = buffer.Next;
            buffer.Next = null;
            if (_tail is null)
                _head = buffer;
            else
                _tail.Next = buffer;
            _tail = buffer;
            buffer = next;
        }

        _endOfStream |= ready.EndOfStream;
        OnRoom();
    }

    protected override void OnRoom()
    {
        var echoed = 0;
        while (_head is { } buffer && buffer.Length <= Room)
        {
            _head = buffer.Next;
            if (_head is null)
                _tail = null;
            buffer.Next = null;
            echoed += buffer.Length;
            Send(buffer);
        }

        Consumed(echoed);
        if (_endOfStream && _head is null)
        {
            _endOfStream = false;
            Finish();
        }
    }

    protected override void PostStop()
    {
        PacketBuffer.ReleaseChain(_head);
        base.PostStop();
    }
}
