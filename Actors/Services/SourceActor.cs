using System.Numerics;
using System.Runtime.InteropServices;
using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;

namespace Tapwire.Actors.Services;

/// <summary>
/// Writes as fast as the connection takes, until the peer closes: the numbers 0, 1, 2, ... as 64-bit little-endian words, so that a reader can tell a lost,
/// repeated or misplaced byte. What it receives is discarded.
/// </summary>
public sealed class SourceActor(IActorRef stack, BufferPool pool) : StreamServiceActor(stack)
{
    private const int Chunk = 65536;

    private ulong _next;
    private bool _finished;

    public static Props Props(IActorRef stack, BufferPool pool) => Akka.Actor.Props.Create(() => new SourceActor(stack, pool));

    protected override void OnRead(ReadReady ready)
    {
        ready.Release();
        Consumed(ready.Bytes);
        if (!ready.EndOfStream || _finished)
            return;
        _finished = true;
        CloseConnection();
    }

    protected override void OnRoom()
    {
        while (!_finished && Room >= Chunk)
        {
            var buffer = pool.Rent(Chunk);
            Count(MemoryMarshal.Cast<byte, Vector<ulong>>(buffer.Append(Chunk)));
            Send(buffer);
        }
    }

    /// <summary>A vector of numbers at a time: one at a time takes longer than all that TCP does with them.</summary>
    private void Count(Span<Vector<ulong>> words)
    {
        var next = new Vector<ulong>(_next) + Vector<ulong>.Indices;
        var step = new Vector<ulong>((ulong)Vector<ulong>.Count);
        foreach (ref var word in words)
        {
            word = next;
            next += step;
        }

        _next += Chunk / sizeof(ulong);
    }
}
