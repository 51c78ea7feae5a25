using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Proxy;

/// <summary>A UDP socket of the host's kernel: bound, for clients there, or connected to a service there.</summary>
public sealed unsafe class HostDatagramSocket : WatchedDescriptor
{
    // Room for most datagrams. Their length is not asked for first: before the read, an empty datagram looks like none.
    private const int LeastRead = 256;

    private HostDatagramSocket(int descriptor)
        : base(descriptor) => Local = HostAddress.Local(descriptor);

    public IpEndpoint Local { get; }

    /// <exception cref="HostSocketException">The address is in use, or not the host's.</exception>
    public static HostDatagramSocket Bind(IpEndpoint local)
    {
        try
        {
            return new HostDatagramSocket(Open(local.Address, descriptor => HostAddress.Bind(descriptor, local)));
        }
        catch (PosixException e)
        {
            throw new HostSocketException($"Cannot open UDP {local}: {Errors.Describe(e.Errno)}.", e);
        }
    }

    /// <summary>Opens a socket that sends to one service and receives from nobody else.</summary>
    /// <exception cref="HostSocketException">There is no route to the service, or no descriptor left.</exception>
    public static HostDatagramSocket Connect(IpEndpoint remote)
    {
        try
        {
            return new HostDatagramSocket(Open(remote.Address, descriptor =>
            {
                if (HostAddress.Connect(descriptor, remote) is not 0 and var error)
                    throw Errors.Exception("connect", error);
            }));
        }
        catch (PosixException e)
        {
            throw new HostSocketException($"Cannot send to UDP {remote}: {Errors.Describe(e.Errno)}.", e);
        }
    }

    /// <summary>Begins to report datagrams: call <see cref="Read"/> until it returns Empty.</summary>
    public void Start(IReactor reactor, Action<Readiness> ready) => Watch(reactor, Readiness.Readable, ready);

    /// <summary>Reads the next datagram.</summary>
    /// <param name="headroom">Bytes to leave free before the payload.</param>
    /// <param name="payload">With <see cref="ReadResult.Data"/>: 0 to 65,507 bytes, the caller's.</param>
    /// <returns>Data, Empty, or Reset: an ICMP error has come back for an earlier datagram; the socket goes on.</returns>
    public ReadResult Read(BufferPool pool, int headroom, out PacketBuffer? payload, out IpEndpoint from)
    {
        int waiting;
        if (ioctl(Descriptor, FIONREAD, &waiting) != 0)
            waiting = 0;
        var buffer = pool.Rent(Math.Max(waiting, LeastRead), headroom);
        var address = stackalloc byte[Sockaddr.Size];
        var vector = new IoVector { Base = buffer.Pointer, Length = (nuint)buffer.Tailroom };
        var message = new MessageHeader { Name = address, NameLength = Sockaddr.Size, Vectors = &vector, VectorCount = 1 };
        var length = (int)recvmsg(Descriptor, &message, MSG_DONTWAIT);
        if (length >= 0)
        {
            buffer.Append(length);
            payload = buffer;
            from = HostAddress.Read(address);
            return ReadResult.Data;
        }

        var errno = Errno;
        buffer.Release();
        payload = null;
        from = default;
        return errno == Errors.EAGAIN ? ReadResult.Empty : ReadResult.Reset;
    }

    /// <summary>Sends one datagram: <paramref name="header"/> and then the payload, which stays the caller's. Never waits.</summary>
    /// <param name="to">Null sends to the peer that the socket is connected to.</param>
    public StackError Send(ReadOnlySpan<byte> header, PacketBuffer payload, IpEndpoint? to)
    {
        var address = stackalloc byte[Sockaddr.Size];
        var vectors = stackalloc IoVector[2 + PacketBuffer.MaxFragments];
        fixed (byte* first = header)
        {
            vectors[0] = new IoVector { Base = first, Length = (nuint)header.Length };
            vectors[1] = new IoVector { Base = payload.Pointer, Length = (nuint)payload.Length };
            for (var i = 0; i < payload.FragmentCount; i++)
            {
                var start = payload.GetFragmentPointer(i, out var length);
                vectors[2 + i] = new IoVector { Base = start, Length = (nuint)length };
            }

            var message = new MessageHeader { Vectors = vectors, VectorCount = (nuint)(2 + payload.FragmentCount) };
            if (to is { } destination)
            {
                message.NameLength = HostAddress.Write(destination, address);
                message.Name = address;
            }

            return sendmsg(Descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ? StackError.None : (StackError)Errno;
        }
    }

    private static int Open(IpAddress address, Action<int> prepare)
    {
        var descriptor = HostAddress.Open(address, SOCK_DGRAM);
        try
        {
            prepare(descriptor);
            return descriptor;
        }
        catch (PosixException)
        {
            Close(descriptor);
            throw;
        }
    }
}
