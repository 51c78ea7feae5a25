using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Support;

/// <summary>
/// Two stacks, 10.0.0.1 and 10.0.0.2, with one connection between them and nothing else: frames go straight across, time moves by a step per exchange, and
/// nothing here allocates. For what is counted or timed.
/// </summary>
public sealed class DirectPair
{
    private const ushort Port = 80;

    /// <summary>An exchange of a few frames on a fast link.</summary>
    private static readonly TimeSpan Step = TimeSpan.FromMicroseconds(20);

    public DirectPair(Func<int, StackOptions> options, BufferPool pool)
    {
        Pool = pool;
        A = Make(options(1), 1);
        B = Make(options(2), 2);

        // Announcements, and the neighbours' answers.
        for (var i = 0; i < 10; i++)
            Exchange(TimeSpan.FromSeconds(1));
        Must(B.Tcp.Listen(new IpEndpoint(default, Port), 1, default, out var listener));
        Must(A.Tcp.Connect(new IpEndpoint(AddressB, Port), default(IpEndpoint), default, Now, out var client));
        TcpSocket? server = null;
        for (var i = 0; i < 100 && server is null; i++)
        {
            Exchange(Step);
            server = listener!.Accept();
        }

        Client = client!;
        Server = server ?? throw new InvalidOperationException("The stacks do not connect.");
        listener!.Close(Now);
    }

    public BufferPool Pool { get; }

    public NetworkStack A { get; }

    public NetworkStack B { get; }

    /// <summary>The end of the connection at A.</summary>
    public TcpSocket Client { get; }

    /// <summary>The end of the connection at B.</summary>
    public TcpSocket Server { get; }

    public Instant Now { get; private set; } = Instant.FromMilliseconds(1);

    /// <summary>Frames that have gone across, in both directions.</summary>
    public long Frames => A.Counters.OutFrames + B.Counters.OutFrames;

    private static IpAddress AddressB { get; } = IpAddress.Parse("10.0.0.2");

    /// <summary>Small buffers that do not grow: what is in flight has reached its bound soon.</summary>
    private static TcpOptions Tcp { get; } = new() { SendBuffer = 128 << 10, ReceiveBuffer = 128 << 10, MaxSendBuffer = 0, MaxReceiveBuffer = 0 };

    public static StackOptions Ethernet(int host) => new() { Interfaces = [new() { HardwareAddress = new MacAddress(0x02_00_00_00_00_00UL + (uint)host) }], Tcp = Tcp };

    public static StackOptions Offloading(int host) => new()
    {
        Interfaces = [new() { HardwareAddress = new MacAddress(0x02_00_00_00_00_00UL + (uint)host), ChecksumOffload = true, SuperFrame = 65535 }],
        Tcp = Tcp,
    };

    /// <summary>Sends from A to B, in writes of so many bytes, until B has read them all.</summary>
    public void Transfer(long bytes, int write)
    {
        for (long sent = 0, received = 0; received < bytes; Exchange(Step))
        {
            while (sent < bytes && Client.SendRoom >= write)
            {
                Send(Client, write);
                sent += write;
            }

            received += Read(Server);
        }
    }

    /// <summary>One byte there, and back.</summary>
    public void RoundTrip()
    {
        Send(Client, 1);
        while (Read(Server) == 0)
            Exchange(Step);
        Send(Server, 1);
        while (Read(Client) == 0)
            Exchange(Step);
    }

    private static void Must(StackError error)
    {
        if (error != StackError.None)
            throw new InvalidOperationException($"{error}");
    }

    private NetworkStack Make(StackOptions options, byte host)
    {
        Span<byte> secret = stackalloc byte[32];
        secret.Fill(host);
        var stack = new NetworkStack(options, Pool, secret);
        Must(stack.AddAddress(new IpPrefix(IpAddress.FromV4(0x0A000000u + host), 24), Now));
        return stack;
    }

    private void Send(TcpSocket socket, int bytes)
    {
        var buffer = Pool.Rent(bytes);
        buffer.Append(bytes).Clear();
        Must(socket.Write(buffer, Now));
    }

    private int Read(TcpSocket socket)
    {
        PacketBuffer.ReleaseChain(socket.Read(out var bytes, out _));
        if (bytes > 0)
            socket.Consumed(bytes, Now);
        return bytes;
    }

    /// <summary>All that can be done now, frames across, and on to the next moment.</summary>
    private void Exchange(TimeSpan step)
    {
        A.Poll(Now);
        Carry(A, B);
        B.Poll(Now);
        Carry(B, A);
        Now += step;
    }

    private void Carry(NetworkStack from, NetworkStack to)
    {
        while (from.TryDequeueFrame(out var frame))
            to.Receive(frame, Now);
        while (from.TryDequeueEvent(out var socket, out _))
            (socket as TcpSocket)?.TakeAcknowledged();
    }
}
