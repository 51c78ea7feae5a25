using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.Versioning;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Support;
using Tapwire.Wires;
using Tapwire.Wires.Qemu;
using Xunit;

namespace Tapwire.Tests.Wires.Qemu;

/// <summary>Wires to virtual machines on real sockets, whose other end is the spec. Nothing happens between two calls.</summary>
[SupportedOSPlatform("linux")]
public sealed class QemuWireSpecs : IDisposable
{
    private const int Mtu = 1500;
    private const int Longest = Mtu + 18;

    private static readonly MacAddress Address = new(0x02_00_00_00_00_01);

    private readonly DiagnosingBufferPool _pool = new();
    private readonly ManualReactor _reactor = new();
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-qemu-");
    private readonly List<IDisposable> _open = [];
    private Readiness _reported;

    private string Path => System.IO.Path.Combine(_directory.FullName, "vm.sock");

    private string Other => System.IO.Path.Combine(_directory.FullName, "other.sock");

    public void Dispose()
    {
        _open.ForEach(static each => each.Dispose());
        _pool.AssertAllReturned();
        _directory.Delete(recursive: true);
    }

    [Fact]
    public void A_frame_goes_behind_its_length_in_network_order()
    {
        var wire = Listen();
        var machine = Connect(wire);
        Assert.Equal(2, Write(wire, Frame(60, 1), Frame(1514, 2)));
        Assert.Equal([0, 0, 0, 60, .. Frame(60, 1), 0, 0, 5, 234, .. Frame(1514, 2)], Receive(machine, 2 * 4 + 60 + 1514));
    }

    [Fact]
    public void Frames_come_whole_however_they_were_cut()
    {
        var wire = Listen();
        var machine = Connect(wire);
        byte[][] frames = [Frame(14, 1), Frame(60, 2), Frame(1514, 3), Frame(Longest, 4)];
        var stream = frames.SelectMany(Framed).ToArray();
        var read = new List<byte[]>();
        foreach (var part in stream)
        {
            machine.Send([part]);
            read.AddRange(Read(wire));
        }

        Assert.Equal(frames, read);
        machine.Send([.. stream, .. stream]);
        Assert.Equal([.. frames, .. frames], Read(wire));
        Assert.Empty(wire.Counters.Keys.Except(["Machines"]));
    }

    [Fact]
    public void One_read_takes_what_one_call_has_brought()
    {
        var wire = Listen();
        var machine = Connect(wire);
        machine.Send([.. Enumerable.Range(0, 60).SelectMany(static i => Framed(Frame(1514, (byte)i)))]);
        var frames = new PacketBuffer[64];
        Assert.Equal(60, ((IWire)wire).Read(_pool, frames, out var more));
        Assert.False(more);
        Assert.Equal(Enumerable.Range(0, 60), frames.Take(60).Select(static frame => (int)frame.Span[20]));
        foreach (var frame in frames.Take(60))
            frame.Release();
    }

    [Fact]
    public void A_machine_that_reads_nothing_costs_a_bounded_memory_and_gets_all_that_was_taken()
    {
        var wire = Listen();
        var machine = Connect(wire);
        var taken = 0;
        while (Write(wire, Frame(1514, (byte)taken)) == 1)
            Assert.InRange(++taken, 0, 20000);
        Assert.Equal(0, Write(wire, Frame(60, 0)));
        _reported = 0;
        _reactor.Look();
        Assert.Equal((Readiness)0, _reported & Readiness.Writable);

        for (var i = 0; i < taken; i++)
        {
            Assert.Equal(Framed(Frame(1514, (byte)i)), Receive(machine, 1518));
            _reactor.Look();
            if ((_reported & Readiness.Readable) != 0)
                Read(wire);
        }

        Assert.True(_reported.HasFlag(Readiness.Writable));
        Assert.Equal(1, Write(wire, Frame(60, 9)));
        Assert.Equal(Framed(Frame(60, 9)), Receive(machine, 64));
        Assert.Equal(0, wire.Refused);
    }

    [Fact]
    public void When_a_machine_goes_the_next_one_is_taken_and_begins_anew()
    {
        var wire = Listen();
        Assert.False(wire.HasCarrier);
        var first = Connect(wire);
        Assert.True(wire.HasCarrier);
        // Half a frame, and what was sent before it.
        first.Send([.. Framed(Frame(60, 1)), 0, 0, 0, 99, 1, 2]);
        first.Dispose();
        Assert.Equal([Frame(60, 1)], Read(wire));
        Assert.False(wire.HasCarrier);
        Assert.Equal(1, Write(wire, Frame(60, 2)));
        Assert.Equal(1, wire.Counters["NoMachine"]);

        var second = Connect(wire);
        second.Send(Framed(Frame(70, 3)));
        Assert.Equal([Frame(70, 3)], Read(wire));
        Write(wire, Frame(80, 4));
        Assert.Equal(Framed(Frame(80, 4)), Receive(second, 84));
        Assert.Equal(2, wire.Counters["Machines"]);
        Assert.Equal(["waits for a virtual machine on", "a virtual machine has connected", "the virtual machine has gone; waits for the next", "a virtual machine has connected"],
            Notices(wire).Zip(["waits for a virtual machine on", "a virtual machine has connected", "the virtual machine has gone; waits for the next", "a virtual machine has connected"],
                static (notice, start) => notice.StartsWith(start, StringComparison.Ordinal) ? start : notice));
    }

    [Fact]
    public void A_second_machine_waits_and_is_told_of()
    {
        var wire = Listen();
        var first = Connect(wire);
        Notices(wire);
        var second = Dial();
        _reactor.Look();
        Assert.Empty(Read(wire));
        Assert.Contains("another virtual machine wants to connect", Assert.Single(Notices(wire)), StringComparison.Ordinal);
        first.Dispose();
        second.Send(Framed(Frame(60, 7)));
        Assert.Equal([Frame(60, 7)], Read(wire));
    }

    [Fact]
    public void Writing_to_a_machine_that_has_gone_is_no_failure()
    {
        var wire = Listen();
        Connect(wire).Dispose();
        Assert.Equal(1, Write(wire, Frame(60, 1)));
        Assert.True(_reported.HasFlag(Readiness.Readable));
        Assert.Empty(Read(wire));
        Assert.False(wire.HasCarrier);
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(69633u)]
    [InlineData(0x80000000u)]
    [InlineData(uint.MaxValue)]
    public void A_length_that_cannot_be_ends_the_connection_with_one_line(uint length)
    {
        var wire = Listen();
        var machine = Connect(wire);
        Notices(wire);
        var bytes = new byte[4 + 100];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, length);
        machine.Send([.. Framed(Frame(60, 1)), .. bytes]);
        Assert.Equal([Frame(60, 1)], Read(wire));
        Assert.Contains("has sent what is no frame", Assert.Single(Notices(wire)), StringComparison.Ordinal);
        Assert.Equal(1, wire.Counters["BadLength"]);
        Assert.Throws<SocketException>(() => Receive(machine, 1));
        Connect(wire);
        Assert.True(wire.HasCarrier);
    }

    [Fact]
    public void Frames_that_are_too_short_or_too_long_are_counted_and_the_next_one_comes()
    {
        var wire = Listen();
        var machine = Connect(wire);
        machine.Send([.. Framed(Frame(13, 1)), .. Framed(Frame(Longest + 1, 2)), .. Framed(new byte[FrameStream.MaxFrame]), .. Framed(Frame(60, 3))]);
        Assert.Equal([Frame(60, 3)], Read(wire));
        Assert.Equal((1, 2), (wire.Counters["TooShort"], wire.Counters["TooLong"]));
        Assert.Equal(2, Write(wire, Frame(13, 1), Frame(Longest + 1, 1)));
        Assert.Equal((2, 3), (wire.Counters["TooShort"], wire.Counters["TooLong"]));
        Assert.True(wire.HasCarrier);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Bytes_at_random_never_do_more_than_end_the_connection(int seed)
    {
        var random = new Random(seed);
        var wire = Listen();
        var bytes = new byte[4096];
        for (var round = 0; round < 300; round++)
        {
            var machine = Connect(wire);
            random.NextBytes(bytes);
            // Most lengths are small, so that some frames are taken.
            for (var at = 0; at < bytes.Length - 4; at += random.Next(8, 600))
                BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(at), random.Next(4) == 0 ? random.Next() : random.Next(600));
            machine.Send(bytes.AsSpan(0, random.Next(bytes.Length)));
            if (random.Next(2) == 0)
                machine.Shutdown(SocketShutdown.Send);
            foreach (var frame in Read(wire))
                Assert.InRange(frame.Length, 14, Longest);
            machine.Dispose();
            Read(wire);
            Assert.False(wire.HasCarrier);
            Notices(wire);
        }

        var honest = Connect(wire);
        honest.Send(Framed(Frame(60, 1)));
        Assert.Equal([Frame(60, 1)], Read(wire));
    }

    [Fact]
    public void The_socket_is_its_owners_only_and_goes_with_the_wire()
    {
        var wire = Listen();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path));
        wire.Dispose();
        Assert.False(File.Exists(Path));
    }

    [Fact]
    public void A_socket_that_somebody_listens_on_is_refused_and_one_that_is_left_over_is_replaced()
    {
        using (var alive = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            alive.Bind(new UnixDomainSocketEndPoint(Path));
            alive.Listen();
            Assert.Contains("Another process has the socket", Assert.Throws<WireException>(() => Listen()).Message, StringComparison.Ordinal);
            // .NET removes the file with the socket; a process that is killed does not.
            File.Move(Path, Other);
        }

        File.Move(Other, Path);
        Connect(Listen());
    }

    [Fact]
    public void A_file_that_is_no_socket_stays()
    {
        File.WriteAllText(Path, "mine");
        Assert.Contains("is not a socket", Assert.Throws<WireException>(() => Listen()).Message, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(Path));
    }

    [Fact]
    public void A_wire_that_connects_fails_when_the_machine_goes()
    {
        var kind = WireRegistry.Find("qemu")!;
        Assert.Contains("There is no socket", Assert.Throws<WireException>(() => kind.Open($"unix-connect:{Path}", new WireRequest())).Message, StringComparison.Ordinal);
        using var server = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        server.Bind(new UnixDomainSocketEndPoint(Path));
        server.Listen();
        var wire = Started(QemuStreamWire.Open("vm", QemuOptions.Parse($"unix-connect:{Path}"), Address, Mtu));
        Assert.True(wire.HasCarrier);
        var machine = server.Accept();
        machine.Send(Framed(Frame(60, 5)));
        Assert.Equal([Frame(60, 5)], Read(wire));
        Write(wire, Frame(61, 6));
        Assert.Equal(Framed(Frame(61, 6)), Receive(machine, 65));
        machine.Dispose();
        Assert.Contains("has gone", Assert.Throws<WireException>(() => Read(wire)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Datagrams_are_frames_and_the_machine_may_come_later_and_again()
    {
        var wire = Started(QemuDatagramWire.Open("vm", QemuOptions.Parse($"unix-dgram:{Path}:{Other}"), Address, Mtu));
        Assert.False(wire.HasCarrier);
        Assert.Equal(1, Write(wire, Frame(60, 1)));
        Assert.Equal(1, wire.Counters["NoMachine"]);
        for (byte i = 2; i < 4; i++)
        {
            var machine = Datagrams();
            machine.SendTo(Frame(60, i), new UnixDomainSocketEndPoint(Path));
            machine.SendTo(Frame(13, i), new UnixDomainSocketEndPoint(Path));
            machine.SendTo(Frame(Longest + 1, i), new UnixDomainSocketEndPoint(Path));
            machine.SendTo(Frame(Longest, i), new UnixDomainSocketEndPoint(Path));
            Assert.Equal([Frame(60, i), Frame(Longest, i)], Read(wire));
            Assert.True(wire.HasCarrier);
            Assert.Equal(1, Write(wire, Frame(70, i)));
            Assert.Equal(Frame(70, i), Receive(machine, 70));
            machine.Dispose();
            File.Delete(Other);
            Assert.Equal(1, Write(wire, Frame(60, 1)));
            Assert.False(wire.HasCarrier);
        }

        Assert.Equal((2, 2, 2), (wire.Counters["Machines"], wire.Counters["TooShort"], wire.Counters["TooLong"]));
    }

    [Fact]
    public void Datagrams_wait_for_a_machine_that_does_not_read()
    {
        var machine = Datagrams();
        var wire = Started(QemuDatagramWire.Open("vm", QemuOptions.Parse($"unix-dgram:{Path}:{Other}"), Address, Mtu));
        var taken = 0;
        while (Write(wire, Frame(60, (byte)taken)) == 1)
            Assert.InRange(++taken, 0, 5000);
        for (var i = 0; i < taken; i++)
            Assert.Equal(Frame(60, (byte)i), Receive(machine, 60));
        _reported = 0;
        _reactor.Look();
        Assert.True(_reported.HasFlag(Readiness.Writable));
        Assert.Equal(1, Write(wire, Frame(60, 1)));
    }

    [Theory]
    [InlineData("unix:", false, null)]
    [InlineData("unix:/run/vm.sock", true, "vm")]
    [InlineData("unix-connect:a-very-long-name-of-a-machine.socket", true, "a-very-long-nam")]
    [InlineData("unix-dgram:/run/a.sock:/run/b.sock", true, "a")]
    [InlineData("/run/vm.sock", false, null)]
    public void The_interface_has_the_name_of_the_file(string argument, bool accepted, string? name)
    {
        var kind = WireRegistry.Find("qemu")!;
        Assert.Equal(accepted, kind.Accepts(argument));
        if (accepted)
            Assert.Equal(name, kind.DeviceOf(argument));
    }

    [Theory]
    [InlineData("tcp:x", "unix:PATH, unix-connect:PATH or unix-dgram:LOCAL:REMOTE")]
    [InlineData("unix:a:b", "a path has no ':' in it")]
    [InlineData("unix-dgram:a", "unix-dgram:LOCAL:REMOTE")]
    [InlineData("unix-dgram:a:a", "is given for both")]
    [InlineData("unix-dgram:a:", "is missing")]
    [InlineData("unix:/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/0123456789/vm.sock", "1 to 107 are allowed")]
    public void What_is_wrong_with_an_argument_is_said(string argument, string said) =>
        Assert.Contains(said, Assert.Throws<WireException>(() => WireRegistry.Find("qemu")!.PlanOf(argument)).Message, StringComparison.Ordinal);

    private static byte[] Frame(int length, byte fill) => [.. Enumerable.Repeat(fill, length)];

    private static byte[] Framed(byte[] frame) => [(byte)(frame.Length >> 24), (byte)(frame.Length >> 16), (byte)(frame.Length >> 8), (byte)frame.Length, .. frame];

    private QemuStreamWire Listen() => Started(QemuStreamWire.Open("vm", QemuOptions.Parse($"unix:{Path}"), Address, Mtu));

    private T Started<T>(T wire)
        where T : IWire
    {
        _open.Add(wire);
        wire.Start(_reactor, readiness => _reported |= readiness);
        return wire;
    }

    private Socket Connect(QemuStreamWire wire)
    {
        var machine = Dial();
        Assert.Empty(Read(wire));
        return machine;
    }

    private Socket Dial()
    {
        var machine = Opened(SocketType.Stream);
        machine.Connect(new UnixDomainSocketEndPoint(Path));
        return machine;
    }

    private Socket Datagrams()
    {
        var machine = Opened(SocketType.Dgram);
        machine.Bind(new UnixDomainSocketEndPoint(Other));
        return machine;
    }

    private Socket Opened(SocketType type)
    {
        var socket = new Socket(AddressFamily.Unix, type, ProtocolType.Unspecified) { SendBufferSize = 1 << 20 };
        _open.Add(socket);
        return socket;
    }

    /// <summary>Receives exactly so many bytes, which are there.</summary>
    private static byte[] Receive(Socket machine, int count)
    {
        var bytes = new byte[count];
        machine.Blocking = false;
        for (var at = 0; at < count;)
        {
            var read = machine.Receive(bytes.AsSpan(at));
            if (read == 0)
                throw new SocketException((int)SocketError.Shutdown);
            at += read;
        }

        machine.Blocking = true;
        return bytes;
    }

    private int Write(IWire wire, params byte[][] frames)
    {
        var buffers = frames.Select(frame => _pool.RentCopy(frame)).ToArray();
        var taken = wire.Write(buffers);
        foreach (var buffer in buffers)
            buffer.Release();
        return taken;
    }

    private List<byte[]> Read(IWire wire)
    {
        var read = new List<byte[]>();
        var frames = new PacketBuffer[64];
        bool more;
        do
        {
            var count = wire.Read(_pool, frames, out more);
            for (var i = 0; i < count; i++)
            {
                read.Add(frames[i].Span.ToArray());
                frames[i].Release();
            }

            Array.Clear(frames);
        }
        while (more);
        return read;
    }

    private static List<string> Notices(IProtocolWire wire)
    {
        var texts = new List<string>();
        while (wire.TryTakeNotice(out var notice))
            texts.Add(notice.Text);
        return texts;
    }
}
