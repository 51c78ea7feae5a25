using System.Security.Cryptography;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Tcp;
using Xunit;

namespace Tapwire.Tests.Support;

/// <summary>An application on one end of a connection: sends so many pseudo-random bytes, then shuts its side down, and reads all that comes.</summary>
public sealed class TcpApp(BufferPool pool, TcpSocket socket, int toSend, int seed) : IDisposable
{
    private readonly IncrementalHash _sent = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly IncrementalHash _read = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly Random _random = new(seed);
    private int _left = toSend;
    private bool _shutdown;

    public TcpSocket Socket => socket;

    public int BytesRead { get; private set; }

    public bool EndOfStream { get; private set; }

    public byte[] SentHash => _sent.GetCurrentHash();

    public byte[] ReadHash => _read.GetCurrentHash();

    /// <summary>Reads what is there and writes what there is room for.</summary>
    public void Act(Instant now)
    {
        var chain = socket.Read(out var bytes, out var end);
        Assert.False(EndOfStream && (bytes > 0 || end), "Something came after the end of the stream.");
        EndOfStream |= end;
        BytesRead += bytes;
        for (var buffer = chain; buffer is not null; buffer = buffer.Next)
            _read.AppendData(buffer.Span);
        PacketBuffer.ReleaseChain(chain);
        if (bytes > 0)
            socket.Consumed(bytes, now);
        if (socket.State is TcpState.SynSent or TcpState.Closed)
            return;
        while (_left > 0 && socket.SendRoom > 0)
        {
            var count = Math.Min(Math.Min(_left, socket.SendRoom), _random.Next(1, 16000));
            var buffer = pool.Rent(count);
            _random.NextBytes(buffer.Append(count));
            _sent.AppendData(buffer.Span);
            Assert.Equal(StackError.None, socket.Write(buffer, now));
            _left -= count;
        }

        if (_left == 0 && !_shutdown)
        {
            _shutdown = true;
            socket.ShutdownSend(now);
        }
    }

    public void Dispose()
    {
        _sent.Dispose();
        _read.Dispose();
    }
}
