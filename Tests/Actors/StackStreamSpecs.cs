using Akka.Actor;
using Akka.TestKit;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>What the stack actor tells the owner of a connection, and when: its peer is a bare engine that takes each frame at once.</summary>
public sealed class StackStreamSpecs : StackSetup
{
    private readonly NetworkStack _peer;
    private TcpSocket? _socket;

    public StackStreamSpecs()
    {
        _peer = new NetworkStack(new StackOptions { Interfaces = [new() { HardwareAddress = StackHarness.PeerMac }] }, Pool, Peer.Secret(4));
        _peer.AddAddress(new IpPrefix(StackHarness.PeerIp, 24), Instant.Zero);
    }

    private Instant Time => new(Clock.GetElapsedTime(0).Ticks);

    [Fact]
    public void An_owner_with_room_for_any_buffer_is_told_of_more_in_lots_and_never_has_less_than_that_with_nothing_under_way()
    {
        Start();
        var (id, room) = Accept(new TcpSocketOptions { SendBuffer = 200_000 });
        var told = 0;
        const int Writes = 400;
        const int Size = 1000;
        for (var i = 0; i < Writes; i++)
        {
            Assert.True(room >= BufferPool.MaxCapacity);
            Write(id, Size);
            room -= Size;
            Exchange();
            while (Owner.HasMessages)
            {
                room += Owner.ExpectMsg<WriteDone>().Bytes;
                told++;
            }
        }

        Assert.InRange(told, 5, Writes / 10);

        // The largest that fits empties it; what comes back is told although it is less than a lot of before.
        while (room >= BufferPool.MaxCapacity)
        {
            Write(id, 60_000);
            room -= 60_000;
        }

        Exchange();
        while (Owner.HasMessages)
            room += Owner.ExpectMsg<WriteDone>().Bytes;
        Assert.True(room >= BufferPool.MaxCapacity);
    }

    [Fact]
    public void An_owner_with_little_room_is_told_of_all_that_has_been_acknowledged()
    {
        Start();
        var (id, room) = Accept(new TcpSocketOptions { SendBuffer = 4000 });
        Assert.Equal(4000, room);
        for (var i = 0; i < 10; i++)
        {
            Write(id, 100);
            Exchange();
            Assert.Equal(100, Owner.ExpectMsg<WriteDone>().Bytes);
        }
    }

    [Fact]
    public void The_acknowledgement_that_ends_a_handshake_holds_no_output_back()
    {
        Start();
        Listen(default);
        Connect();
        FromStack();
        var frames = FromPeer();
        Clock.Looks = 0;
        foreach (var frame in frames)
            Stack.Tell(Arriving(frame));
        Owner.ExpectMsg<Accepted>();
        Assert.Equal((1, 1), (frames.Count, Clock.Looks));
    }

    [Fact]
    public void Data_behind_a_handshake_is_acknowledged_only_after_the_new_owner_has_had_time_to_answer()
    {
        Start();
        Listen(default);
        var socket = Connect();
        Peering(socket, 10);
        FromStack();
        var frames = FromPeer();
        Clock.Looks = 0;
        Burst(frames);
        var accepted = Owner.ExpectMsg<Accepted>();
        Assert.Equal(1 + 1 + 3, Clock.Looks); // for the status that held the frames together, the poll, and its rounds
        Owner.Send(Stack, new Attach(accepted.Id));
        Owner.ExpectMsg<Connected>();
        Owner.ExpectMsg<ReadReady>().Release();
    }

    [Fact]
    public void What_the_engine_answers_by_itself_does_not_wait_for_owners()
    {
        Start();
        Accept(default);
        Peering(_socket!, 10);
        var looks = new List<int>();
        Tap.SetAutoPilot(new DelegateAutoPilot((_, message) =>
        {
            if (message is Frame)
                looks.Add(Clock.Looks);
            return AutoPilot.KeepRunning;
        }));
        List<byte[]> frames = [.. FromPeer(), Question];
        Clock.Looks = 0;
        Burst(frames);
        Owner.ExpectMsg<ReadReady>().Release();
        Assert.Equal([2, 3], looks); // the reply with the poll that has told the owner, the acknowledgement one round later
    }

    private (SocketId Id, int Room) Accept(TcpSocketOptions options)
    {
        Listen(options);
        _socket = Connect();
        Exchange();
        Owner.Send(Stack, new Attach(Owner.ExpectMsg<Accepted>().Id));
        var connected = Owner.ExpectMsg<Connected>();
        return (connected.Id, connected.SendRoom);
    }

    private void Listen(TcpSocketOptions options)
    {
        Owner.Send(Stack, new Listen(new IpEndpoint(IpAddress.AnyV4, 7), 4, null, options));
        Owner.Send(Stack, new Accept(Owner.ExpectMsg<Listening>().Id, 1));
    }

    /// <summary>Up to the SYN that has reached the stack.</summary>
    private TcpSocket Connect()
    {
        Assert.Equal(StackError.None, _peer.Tcp.Connect(new IpEndpoint(StackHarness.OwnIp, 7), default(IpEndpoint), default, Time, out var socket));
        while (socket!.State == TcpState.SynSent && Counter("TcpInSegs") == 0)
        {
            foreach (var frame in FromPeer())
                Stack.Tell(Arriving(frame));
            if (Counter("TcpInSegs") == 0)
                FromStack();
        }

        return socket;
    }

    private void Peering(TcpSocket socket, int count)
    {
        var buffer = Pool.Rent(count);
        buffer.Append(count).Fill(1);
        Assert.Equal(StackError.None, socket.Write(buffer, Time));
    }

    private void Write(SocketId id, int count)
    {
        var buffer = Pool.Rent(count);
        buffer.Append(count).Fill(2);
        Owner.Send(Stack, new WriteRequest(id, buffer));
    }

    /// <summary>Moves frames and time until all is acknowledged.</summary>
    private void Exchange()
    {
        for (var round = 0; round < 8; round++)
        {
            FromStack();
            foreach (var frame in FromPeer())
                Stack.Tell(Arriving(frame));
            Advance(TimeSpan.FromMilliseconds(20));
        }
    }

    private void FromStack()
    {
        foreach (var bytes in Emitted())
        {
            var frame = Pool.Rent(bytes.Length);
            bytes.CopyTo(frame.Append(bytes.Length));
            _peer.Receive(frame, Time);
            Stack.Tell(new FramesWritten(0, 1));
        }
    }

    private List<byte[]> FromPeer()
    {
        _peer.Poll(Time);
        while (_peer.TryDequeueEvent(out var socket, out _))
        {
            if (socket is not TcpSocket tcp)
                continue;
            PacketBuffer.ReleaseChain(tcp.Read(out var count, out _));
            if (count > 0)
                tcp.Consumed(count, Time);
        }

        _peer.Poll(Time);
        var frames = new List<byte[]>();
        while (_peer.TryDequeueFrame(out var frame))
        {
            var bytes = new byte[frame.TotalLength];
            frame.CopyTo(bytes);
            frame.Release();
            frames.Add(bytes);
        }

        return frames;
    }

    protected override void AfterAll()
    {
        _peer.Close(Time);
        while (_peer.TryDequeueFrame(out var frame))
            frame.Release();
        base.AfterAll();
    }
}
