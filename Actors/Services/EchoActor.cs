using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;

namespace Tapwire.Actors.Services;

/// <summary>The echo service (RFC 862). Received buffers go into the send queue without a copy. Bytes that do not fit there yet keep the receive window
/// closed.</summary>
public sealed class EchoActor(IActorRef stack) : StreamServiceActor(stack)
{
    private BufferQueue _waiting;
    private bool _endOfStream;

    public static Props Props(IActorRef stack) => Akka.Actor.Props.Create(() => new EchoActor(stack));

    protected override void OnRead(ReadReady ready)
    {
        _waiting.EnqueueChain(ready.Chain);
        _endOfStream |= ready.EndOfStream;
        OnRoom();
    }

    protected override void OnRoom()
    {
        var echoed = 0;
        while (_waiting.Head is { } next && next.Length <= Room && _waiting.TryDequeue(out var buffer))
        {
            echoed += buffer.Length;
            Send(buffer);
        }

        Consumed(echoed);
        if (_endOfStream && _waiting.IsEmpty)
        {
            _endOfStream = false;
            Finish();
        }
    }

    protected override bool TryForget()
    {
        _waiting.Clear();
        _endOfStream = false;
        return true;
    }
}
