using Tapwire.Links;
using static Tapwire.Wires.Posix.Libc;
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

    public void ShutdownSend() => Assert.Equal(0, shutdown(_descriptor, SHUT_WR));

    public void Dispose()
    {
        if (_descriptor >= 0)
            Close(_descriptor);
        _descriptor = -1;
    }
}
