using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Tests.Hostile;

/// <summary>A descriptor of every kind, to be passed to somebody who has not asked for it.</summary>
internal sealed unsafe partial class PassedDescriptors : IDisposable
{
    /// <summary>The kernel passes no more with one message (SCM_MAX_FD).</summary>
    public const int Most = 253;

    private const int RecordHeader = 16;

    private readonly List<int> _descriptors = [];

    public PassedDescriptors(string directory)
    {
        var pair = stackalloc int[2];
        _descriptors.Add(open("/dev/null", O_RDWR, 0));
        _descriptors.Add(open(directory, 0, 0));
        _descriptors.Add(open("/proc/self/fd", 0, 0));
        _descriptors.Add(memfd_create("hostile", 0));
        _descriptors.Add(epoll_create1(0));
        _descriptors.Add(eventfd(1, 0));
        _descriptors.Add(timerfd_create(1, 0));
        _descriptors.Add(socket(2, SOCK_STREAM, 0));
        _descriptors.Add(socket(2, 2, 0));
        Errors.Check(pipe2(pair, 0), "pipe2");
        _descriptors.AddRange([pair[0], pair[1]]);
        Errors.Check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
        _descriptors.AddRange([pair[0], pair[1]]);

        // One end is closed: reading the other one gives the end, writing fails.
        Errors.Check(pipe2(pair, 0), "pipe2");
        Close(pair[0]);
        _descriptors.Add(pair[1]);
        foreach (var descriptor in _descriptors)
            Errors.Check(descriptor, "a descriptor to be passed");
    }

    /// <summary>Sends bytes with so many of them, and the socket itself among them.</summary>
    /// <returns>How many bytes the kernel took; negative if it took nothing.</returns>
    public int Send(Socket socket, ReadOnlySpan<byte> bytes, int count, Random random)
    {
        var own = (int)socket.Handle;
        var control = new byte[RecordHeader + (count + 1) / 2 * 2 * sizeof(int)];
        BitConverter.TryWriteBytes(control, (long)(RecordHeader + count * sizeof(int)));
        BitConverter.TryWriteBytes(control.AsSpan(8), SOL_SOCKET);
        BitConverter.TryWriteBytes(control.AsSpan(12), SCM_RIGHTS);
        for (var i = 0; i < count; i++)
        {
            var passed = random.Next(_descriptors.Count + 1);
            BitConverter.TryWriteBytes(control.AsSpan(RecordHeader + i * sizeof(int)), passed == _descriptors.Count ? own : _descriptors[passed]);
        }

        fixed (byte* start = bytes, controlStart = control)
        {
            var vector = new IoVector { Base = start, Length = (nuint)bytes.Length };
            var message = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = controlStart, ControlLength = (nuint)control.Length };
            return (int)sendmsg(own, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        }
    }

    public void Dispose() => _descriptors.ForEach(descriptor => Close(descriptor));

    [LibraryImport("libc", SetLastError = true)]
    private static partial int pipe2(int* descriptors, int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int memfd_create(string name, uint flags);
}
