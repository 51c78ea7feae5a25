using System.Net;
using System.Net.Sockets;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Tests.Hostile;

/// <summary>A program of the host that does with its connection to the proxy whatever it likes. Nothing here waits, and nothing fails because the proxy has closed.</summary>
internal sealed class HostileProxyClient : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly List<byte> _answer = [];
    private readonly bool _isForwarded;
    private bool _isSending = true;

    /// <param name="isForwarded">The port needs no handshake.</param>
    public HostileProxyClient(IpEndpoint port, Instant now, bool isForwarded)
    {
        Born = now;
        _isForwarded = isForwarded;
        _socket.Connect(new IPEndPoint(port.Address.ToSystem(), port.Port));
        _socket.Blocking = false;
    }

    public Instant Born { get; }

    /// <summary>Does it never read before it is asked how it stands?</summary>
    public bool IsDeaf { get; init; }

    /// <summary>The proxy has closed or reset the connection.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>The proxy carries out what was asked.</summary>
    public bool IsServed => _isForwarded || _answer is [5, 0, 5, 0, ..] || (_answer.Count > 12 && "HTTP/1.1 200"u8.SequenceEqual(_answer.Take(12).ToArray()));

    /// <summary>What is sent one byte at a time, one each time that the client has its turn.</summary>
    public Queue<byte> Drip { get; } = [];

    /// <returns>Whether all of it was taken.</returns>
    public bool Send(ReadOnlySpan<byte> bytes, SocketFlags flags = SocketFlags.None) =>
        _isSending && _socket.Send(bytes, flags, out var error) == bytes.Length && error == SocketError.Success;

    public void ReadAll()
    {
        var buffer = new byte[65536];
        while (!HasEnded)
        {
            var count = _socket.Receive(buffer, SocketFlags.None, out var error);
            if (error == SocketError.WouldBlock)
                return;
            HasEnded = count == 0;
            if (_answer.Count < 64)
                _answer.AddRange(buffer.AsSpan(0, Math.Min(count, 64)));
        }
    }

    /// <summary>FIN; answers can still come.</summary>
    public void EndOfStream()
    {
        if (!_isSending)
            return;
        _isSending = false;
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (SocketException)
        {
            HasEnded = true; // the proxy was first, with RST
        }
    }

    /// <summary>RST, whatever is on its way.</summary>
    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    public void Dispose() => _socket.Dispose();
}
