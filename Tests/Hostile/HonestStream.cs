using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;

namespace Tapwire.Tests.Hostile;

/// <summary>One end of a connection that must not notice anything: every byte that arrives is compared with the one that was sent at its place.</summary>
internal sealed class HonestStream(TcpSocket socket, byte ownSalt, byte peerSalt)
{
    private bool _ended;

    public TcpSocket Socket => socket;

    public HonestStream? Peer { get; set; }

    public long Sent { get; private set; }

    public long Received { get; private set; }

    /// <summary>It has everything that its peer has sent, to the end.</summary>
    public bool IsComplete => _ended && Received == Peer!.Sent;

    public void Read(Instant now)
    {
        var chain = socket.Read(out var bytes, out var end);
        for (var buffer = chain; buffer is not null; buffer = buffer.Next)
        {
            SimPattern.Check(buffer.Span, Received, peerSalt);
            Received += buffer.Length;
        }

        PacketBuffer.ReleaseChain(chain);
        HostileException.Require(!(_ended && (bytes > 0 || end)), "Something came after the end of an honest stream.");
        HostileException.Require(socket.Error == StackError.None, $"An honest connection has failed: {socket.Error}.");
        _ended |= end;
        if (bytes > 0)
            socket.Consumed(bytes, now);
    }

    public void Write(BufferPool pool, int bytes, Instant now)
    {
        bytes = Math.Min(bytes, socket.SendRoom);
        if (bytes == 0)
            return;
        var data = pool.RentFilled(bytes);
        SimPattern.Fill(data.Span, Sent, ownSalt);
        HostileException.Require(socket.Write(data, now) == StackError.None, "An honest connection takes no data.");
        Sent += bytes;
    }
}
