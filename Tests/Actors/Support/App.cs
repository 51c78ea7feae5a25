using Tapwire.Links;
using Tapwire.Links.Protocol;
using static Tapwire.Posix.Libc;
using Xunit;

namespace Tapwire.Tests.Actors.Support;

/// <summary>An application's end of a socket: plain read, write, shutdown and close on its descriptor, none of which waits.</summary>
internal sealed class App : IDisposable
{
    public const int Eof = 0;
    private const int Again = 11;
    private const int Reset = 104;

    private readonly DriverSetup _setup;
    private int _descriptor;

    public App(DriverSetup setup, ApplicationEnd end)
        : this(setup, end.Handle, end.Take())
    {
    }

    public App(DriverSetup setup, ulong handle, int descriptor)
    {
        _setup = setup;
        Handle = handle;
        _descriptor = descriptor;
    }

    public ulong Handle { get; }

    public int Descriptor => _descriptor;

    /// <summary>The last read found ECONNRESET.</summary>
    public bool SawReset { get; private set; }

    /// <summary>The last read found end of file.</summary>
    public bool SawEndOfFile { get; private set; }

    /// <summary>How many bytes the kernel took.</summary>
    public unsafe int TryWrite(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            var sent = (int)send(_descriptor, start, (nuint)bytes.Length, MSG_DONTWAIT | MSG_NOSIGNAL);
            return sent < 0 ? 0 : sent;
        }
    }

    /// <summary>Writes all of it, running the driver where the kernel's socket is full.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        for (var rounds = 0; !bytes.IsEmpty; rounds++)
        {
            Assert.True(rounds < 100_000, "The driver takes no more bytes.");
            bytes = bytes[TryWrite(bytes)..];
            _setup.RunFor(this);
        }
    }

    /// <summary>Everything that can be read now.</summary>
    public unsafe byte[] Read()
    {
        var all = new List<byte>();
        var buffer = new byte[65536];
        SawReset = SawEndOfFile = false;
        fixed (byte* start = buffer)
        {
            while (true)
            {
                var count = (int)recv(_descriptor, start, (nuint)buffer.Length, MSG_DONTWAIT);
                if (count > 0)
                {
                    all.AddRange(buffer.AsSpan(0, count));
                    continue;
                }

                SawEndOfFile = count == Eof;
                SawReset = count < 0 && Errno == Reset;
                Assert.True(count == Eof || Errno is Again or Reset, "An unexpected error from recv.");
                return [.. all];
            }
        }
    }

    /// <summary>What poll(2) says of the descriptor: there is something to read, or the end.</summary>
    public bool IsReadable => (PollNow(POLLIN) & POLLIN) != 0;

    /// <summary>What accept(2) is to a listening application: one record with one descriptor; null if none waits.</summary>
    public unsafe App? Accept(out AcceptRecord record)
    {
        var bytes = stackalloc byte[AcceptRecord.Size];
        var count = (int)ReceiveDescriptor(_descriptor, bytes, AcceptRecord.Size, MSG_DONTWAIT, out var passed);
        SawEndOfFile = count == Eof;
        record = default;
        if (count <= 0)
            return null;
        Assert.Equal(AcceptRecord.Size, count);
        Assert.True(AcceptRecord.TryRead(new ReadOnlySpan<byte>(bytes, count), out record), "The accept record cannot be read.");
        Assert.True(passed >= 0, "The record came without a descriptor.");
        ulong cookie;
        uint length = sizeof(ulong);
        Assert.Equal(0, getsockopt(passed, SOL_SOCKET, SO_COOKIE, &cookie, &length));
        return new App(_setup, cookie, passed);
    }

    /// <summary>One message of a datagram socket, as the link has it: header and payload; null if none waits.</summary>
    public unsafe byte[]? ReadMessage()
    {
        var buffer = new byte[DatagramHeader.Size + DatagramHeader.MaxPayload];
        fixed (byte* start = buffer)
        {
            var count = (int)recv(_descriptor, start, (nuint)buffer.Length, MSG_DONTWAIT);
            SawEndOfFile = count == Eof;
            return count <= 0 ? null : buffer[..count];
        }
    }

    public void ShutdownSend() => Assert.Equal(0, shutdown(_descriptor, SHUT_WR));

    private unsafe short PollNow(short events)
    {
        var entry = new PollDescriptor { Descriptor = _descriptor, Events = events };
        return poll(&entry, 1, 0) > 0 ? entry.Returned : (short)0;
    }

    public void Dispose()
    {
        if (_descriptor >= 0)
            Close(_descriptor);
        _descriptor = -1;
    }
}
