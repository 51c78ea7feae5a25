using System.Runtime.InteropServices;
using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;

namespace Tapwire.Actors.Services;

/// <summary>
/// The source service: writes as fast as the connection takes, until the peer closes. The bytes are the numbers 0 to 32,767 as 64-bit little-endian words, again
/// and again, so that a reader notices a lost, repeated or misplaced byte. Received bytes are discarded.
/// </summary>
public sealed class SourceActor(IActorRef stack, BufferPool pool) : StreamServiceActor(stack)
{
    private const int Chunk = 65536;

    /// <summary>All the numbers once, shared by all connections: small enough to stay in a processor's cache.</summary>
    private static readonly ConstantBytes Numbers = new(4 * Chunk, Count);

    private int _next;
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
        for (; !_finished && Room >= Chunk; _next = (_next + Chunk) % Numbers.Length)
            Send(pool.Rent(Numbers, _next, Chunk));
    }

    protected override bool TryForget()
    {
        _next = 0;
        _finished = false;
        return true;
    }

    private static void Count(Span<byte> bytes)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        for (var i = 0; i < words.Length; i++)
            words[i] = (ulong)i;
    }
}
