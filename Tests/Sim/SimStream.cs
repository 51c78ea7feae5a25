using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Sim;

/// <summary>An application at one end: writes a known stream of bytes in pieces of random size, and reads and checks the other end's.</summary>
internal sealed class SimStream(SimHost host, TcpSocket socket, Random random, long toSend, long toReceive, byte ownSalt, byte peerSalt)
{
    private long _written;
    private long _read;
    private int _unconsumed;
    private bool _endSeen;
    private bool _shutdown;
    private bool _readable;

    public TcpSocket Socket => socket;

    public bool Connected { get; set; }

    public int ClosedEvents { get; private set; }

    /// <summary>Largest piece written at once.</summary>
    public int MaxWrite { get; init; } = 20000;

    /// <summary>How likely the application is to consume at a chance it gets; it always does in the end.</summary>
    public double Eagerness { get; init; } = 1;

    public bool Finished => _endSeen && _read == toReceive && ClosedEvents == 1 && _unconsumed == 0;

    public string Report => $"written {_written}/{toSend}, read {_read}/{toReceive}, end {_endSeen}, closed {ClosedEvents}, state {socket.State}, error {socket.Error}, "
        + $"una {socket.SndUna} nxt {socket.SndNxt} wnd {socket.SndWnd}, rcv {socket.RcvNxt}, info {socket.Info}";

    public void Handle(SocketEvents events)
    {
        if (events.HasFlag(SocketEvents.Connected))
            Connected = true;
        if (events.HasFlag(SocketEvents.Closed))
            ClosedEvents++;
        _readable |= events.HasFlag(SocketEvents.Readable);
    }

    /// <summary>Lets the application do what it can at this moment.</summary>
    public void Act(Instant now)
    {
        socket.TakeAcknowledged();
        while (Connected && _written < toSend && socket.SendRoom > 0 && random.NextDouble() < 0.9)
        {
            var count = (int)Math.Min(Math.Min(toSend - _written, socket.SendRoom), random.Next(1, MaxWrite + 1));
            var buffer = host.Pool.Rent(count, random.Next(4) == 0 ? 40 : 0);
            Fill(buffer.Append(count), _written, ownSalt);
            var error = socket.Write(buffer, now);
            if (error != StackError.None)
                throw new InvalidOperationException($"Write says {error}. {Report}");
            _written += count;
        }

        if (Connected && _written == toSend && !_shutdown)
        {
            _shutdown = true;
            socket.ShutdownSend(now);
        }

        Read(now);
    }

    public bool WantsMore => _unconsumed > 0 || _readable || (Connected && _written < toSend && socket.SendRoom > 0);

    private void Read(Instant now)
    {
        // Only what was announced is read: an event that is missing makes the simulation stand still.
        if (_readable && random.NextDouble() < Eagerness)
        {
            _readable = false;
            var chain = socket.Read(out var bytes, out var end);
            var counted = 0;
            for (var buffer = chain; buffer is not null; buffer = buffer.Next)
            {
                Check(buffer.Span, _read, peerSalt);
                _read += buffer.Length;
                counted += buffer.Length;
            }

            PacketBuffer.ReleaseChain(chain);
            if (counted != bytes)
                throw new InvalidOperationException($"Read said {bytes} bytes and gave {counted}.");
            if (end && _endSeen)
                throw new InvalidOperationException("End of stream came twice.");
            if (_endSeen && bytes > 0)
                throw new InvalidOperationException("Bytes came after the end of the stream.");
            _endSeen |= end;
            if (_endSeen && _read != toReceive)
                throw new InvalidOperationException($"The stream ended after {_read} of {toReceive} bytes.");
            _unconsumed += bytes;
        }

        if (_unconsumed > 0 && random.NextDouble() < Eagerness)
        {
            var count = random.Next(1, _unconsumed + 1);
            _unconsumed -= count;
            socket.Consumed(count, now);
        }
    }

    private static void Fill(Span<byte> span, long position, byte salt)
    {
        for (var i = 0; i < span.Length; i++)
            span[i] = At(position + i, salt);
    }

    private static void Check(ReadOnlySpan<byte> span, long position, byte salt)
    {
        for (var i = 0; i < span.Length; i++)
        {
            if (span[i] != At(position + i, salt))
                throw new InvalidOperationException($"Byte {position + i} is {span[i]}, not {At(position + i, salt)}.");
        }
    }

    private static byte At(long position, byte salt) => (byte)(position * 31 + (position >> 8) * 17 + (position >> 16) + salt);
}
