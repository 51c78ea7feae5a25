using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Sim;

namespace Tapwire.Tests.Hostile;

/// <summary>Datagrams and pings from one host to the other, numbered, each of which must come, or be answered. What else comes to the port is not its own.</summary>
internal sealed class HonestExchange
{
    public const ushort Port = 9000;

    private const int Header = sizeof(uint);
    private const byte Salt = 77;

    private readonly BufferPool _pool;
    private readonly NetworkStack _stack;
    private readonly UdpSocket _udp;
    private readonly IcmpEchoSocket _echo;
    private readonly HashSet<uint> _awaited = [];
    private readonly HashSet<ushort> _unanswered = [];
    private uint _datagrams;
    private ushort _pings;

    public HonestExchange(NetworkStack stack, BufferPool pool)
    {
        _stack = stack;
        _pool = pool;
        stack.Udp.Bind(new IpEndpoint(default, Port), new UdpSocketOptions { ReceiveBuffer = 8 << 20 }, out var udp);
        stack.Icmp.Open(out var echo);
        _udp = udp!;
        _echo = echo!;
    }

    public ushort EchoIdentifier => _echo.Identifier;

    public long Delivered { get; private set; }

    public long Foreign { get; private set; }

    public int Unanswered => _unanswered.Count;

    /// <summary>Datagrams that are still to come here.</summary>
    public int Awaited => _awaited.Count;

    public void Send(HonestExchange peer, IpAddress to, int bytes, Instant now)
    {
        var data = _pool.Rent(Header + bytes, BufferPool.HeaderRoom);
        data.Append(Header + bytes);
        BinaryPrimitives.WriteUInt32BigEndian(data.Span, _datagrams);
        SimPattern.Fill(data.Span[Header..], _datagrams * 31L, Salt);
        if (_udp.Send(data, new IpEndpoint(to, Port), now) == StackError.None)
            peer._awaited.Add(_datagrams++);
    }

    public void Ping(IpAddress to, Instant now)
    {
        if (_echo.Send(to, _pings, [1, 2, 3], now) == StackError.None)
            _unanswered.Add(_pings++);
    }

    public void Receive()
    {
        while (_udp.TryReceive(out var payload, out _))
        {
            if (IsOwn(payload.Span, out var number) && _awaited.Remove(number))
                Delivered++;
            else
                Foreign++;
            payload.Release();
        }

        while (_echo.TryReceive(out var result))
            _unanswered.Remove(result.Sequence);
    }

    public void Forgive()
    {
        _awaited.Clear();
        _unanswered.Clear();
    }

    public void Close()
    {
        Receive();
        _udp.Close();
        _echo.Close();
    }

    private static bool IsOwn(ReadOnlySpan<byte> payload, out uint number)
    {
        number = payload.Length < Header ? 0 : BinaryPrimitives.ReadUInt32BigEndian(payload);
        if (payload.Length < Header)
            return false;
        Span<byte> expected = stackalloc byte[payload.Length];
        SimPattern.Fill(expected[Header..], number * 31L, Salt);
        return payload[Header..].SequenceEqual(expected[Header..]);
    }
}
