using Tapwire.Posix;
using Tapwire.Stack.Ip;
using static Tapwire.Posix.Libc;

namespace Tapwire.Wires.Udp;

/// <summary>What a UDP port is to be.</summary>
/// <param name="Port">0: any.</param>
internal sealed record UdpPortOptions(ushort Port)
{
    /// <summary>The address to bind; null: all of both families.</summary>
    public IpAddress? Local { get; init; }

    /// <summary>SO_MARK; 0: none.</summary>
    public uint Mark { get; init; }

    /// <summary>Nothing is received: the kernel keeps no room for what comes.</summary>
    public bool OnlySends { get; init; }

    /// <summary>Takes datagrams without a checksum over IPv6, too, as tunnels may send them (RFC 6935).</summary>
    public bool TakesNoChecksum { get; init; }

    /// <summary>Said when the port is in use: who may have it, and what to do.</summary>
    public string InUse { get; init; } = "another program has it; choose another";

    /// <summary>Said when the port needs a privilege: what to do.</summary>
    public string Privileged { get; init; } = "choose one above 1023";
}

/// <summary>
/// A UDP socket of both families that sends and receives many datagrams with one call (UDP_SEGMENT, UDP_GRO; udp(7)): a datagram of 1,452 bytes then costs a tenth. Where the kernel cannot do
/// that, or a path is too narrow for it, datagrams go one by one.
/// </summary>
internal sealed unsafe class UdpPort : WatchedDescriptor, IDatagramPort
{
    /// <summary>Bytes wanted for the kernel's queues: some 30 ms at 1 Gbit/s. Without the privilege the kernel gives what the administrator allows (net.core.rmem_max).</summary>
    private const int QueueBytes = 4 << 20;

    private readonly byte[] _received = GC.AllocateUninitializedArray<byte>(65536, pinned: true);
    private readonly SocketFamily _family;
    private int _count;
    private int _size = 1;
    private DatagramPath _path;
    private bool _segments = true;
    private int _refusal;
    private bool _wantsRoom;

    private UdpPort(int descriptor, SocketFamily family, ushort port)
        : base(descriptor) => (_family, Port) = (family, port);

    public ushort Port { get; }

    public long Refused { get; private set; }

    /// <exception cref="WireException">It does not open; the message says why.</exception>
    public static UdpPort Open(UdpPortOptions options)
    {
        var family = SocketFamily.V6;
        var descriptor = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (descriptor < 0)
        {
            // A host without IPv6.
            family = SocketFamily.V4;
            descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        }

        if (descriptor < 0)
            throw new WireException($"No UDP socket can be had: {Errors.Describe(Errno)}.");
        try
        {
            Configure(descriptor, family, options);
            return new UdpPort(descriptor, family, Bind(descriptor, family, options));
        }
        catch
        {
            Close(descriptor);
            throw;
        }
    }

    /// <summary>The largest IP packet that the host's network takes to a destination, in bytes; 0: it has no route there.</summary>
    public static int PathMtu(in IpEndpoint to)
    {
        var isV4 = to.Address.IsV4;
        var descriptor = socket(isV4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (descriptor < 0)
            return 0;
        var address = stackalloc byte[Sockaddr.Size];
        var family = isV4 ? SocketFamily.V4 : SocketFamily.V6;
        new Sockaddr(family, to).WriteTo(new Span<byte>(address, Sockaddr.Size));
        var mtu = 0;
        uint length = sizeof(int);
        var found = connect(descriptor, address, LengthOf(family)) == 0
            && getsockopt(descriptor, isV4 ? IPPROTO_IP : IPPROTO_IPV6, isV4 ? IP_MTU : IPV6_MTU, &mtu, &length) == 0;
        Close(descriptor);
        return found ? mtu : 0;
    }

    public void Start(IReactor reactor, Action<Readiness> ready) => Watch(reactor, Readiness.Readable, ready);

    public string TakeRefusal()
    {
        var refusal = _refusal == 0 ? "" : Errors.Describe(_refusal);
        _refusal = 0;
        return refusal;
    }

    public DatagramBatch Latest => new(_received.AsSpan(0, _count), _size, _path);

    public bool TryReceive()
    {
        var address = stackalloc byte[Sockaddr.Size];
        var control = stackalloc byte[DatagramControl.Room];
        while (true)
        {
            int count;
            fixed (byte* start = _received)
            {
                var vector = new IoVector { Base = start, Length = (nuint)_received.Length };
                var message = new MessageHeader { Name = address, NameLength = Sockaddr.Size, Vectors = &vector, VectorCount = 1, Control = control, ControlLength = DatagramControl.Room };
                count = (int)recvmsg(Descriptor, &message, MSG_DONTWAIT);
                if (count < 0)
                {
                    // No memory, or an error that another datagram has brought: there may be more, and the watch is edge-triggered.
                    if (Errno != Errors.EAGAIN)
                        ChangeInterest(Interest);
                    return false;
                }

                if (count == 0 || !TryReadAddress(address, message.NameLength, out var from))
                    continue;
                var size = count;
                DatagramControl.Read(new ReadOnlySpan<byte>(control, (int)message.ControlLength), ref size, out var local, out var trafficClass);
                // An address of one link would need the link's name to be sent from, and a group's cannot be.
                _path = new DatagramPath(from, local.IsLinkLocal || local.IsMulticast ? default : local, trafficClass);
                (_count, _size) = (count, Math.Clamp(size, 1, count));
                return true;
            }
        }
    }

    public bool TrySend(in DatagramPath path, ReadOnlySpan<byte> bytes, int size)
    {
        var address = stackalloc byte[Sockaddr.Size];
        if (_family == SocketFamily.V4 && path.Remote.Address.IsV6)
        {
            Refuse(Errors.ENETUNREACH);
            return true;
        }

        var length = WriteAddress(path.Remote, address);
        fixed (byte* start = bytes)
        {
            if (size >= bytes.Length || _segments)
            {
                var errno = Send(start, bytes.Length, size, path, address, length);
                if (errno == 0)
                    return true;
                if (IsFull(errno))
                    return AwaitRoom();
                if (size >= bytes.Length)
                {
                    Refuse(errno);
                    return true;
                }

                // EIO: a device that computes no checksums. EINVAL and EMSGSIZE: the datagrams are longer than the path takes in one piece.
                _segments = errno != Errors.EIO;
                if (errno is not (Errors.EIO or Errors.EINVAL or Errors.EMSGSIZE))
                {
                    Refuse(errno);
                    return true;
                }
            }

            for (var at = 0; at < bytes.Length; at += size)
            {
                var errno = Send(start + at, Math.Min(size, bytes.Length - at), size, path, address, length);
                // The first ones have gone: what there is no room for is lost, as on the way.
                if (errno != 0 && at == 0 && IsFull(errno))
                    return AwaitRoom();
                if (errno != 0)
                    Refuse(errno);
            }
        }

        return true;
    }

    protected override void Note(Readiness readiness)
    {
        if ((readiness & Readiness.Writable) == 0 || !_wantsRoom)
            return;
        _wantsRoom = false;
        ChangeInterest(Interest);
    }

    private Readiness Interest => _wantsRoom ? Readiness.Readable | Readiness.Writable : Readiness.Readable;

    private static bool IsFull(int errno) => errno is Errors.EAGAIN or Errors.ENOBUFS or Errors.ENOMEM;

    private static void Configure(int descriptor, SocketFamily family, UdpPortOptions options)
    {
        if (family == SocketFamily.V6)
        {
            Set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 0);
            Set(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IP_PMTUDISC_DONT);
            // An older kernel drops them.
            if (options.TakesNoChecksum)
                Set(descriptor, SOL_UDP, UDP_NO_CHECK6_RX, 1);
        }

        Set(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
        // Where a datagram came to, an answer leaves from; and its ECN field goes on inside.
        if (!options.OnlySends)
            DatagramControl.Request(family, (level, name) => Set(descriptor, level, name, 1));
        // An older kernel has no UDP_GRO: each datagram then comes by itself.
        Set(descriptor, SOL_UDP, UDP_GRO, 1);
        if (options.OnlySends || !Set(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, QueueBytes))
            Set(descriptor, SOL_SOCKET, SO_RCVBUF, options.OnlySends ? 0 : QueueBytes);
        if (!Set(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, QueueBytes))
            Set(descriptor, SOL_SOCKET, SO_SNDBUF, QueueBytes);
        if (options.Mark != 0 && !Set(descriptor, SOL_SOCKET, SO_MARK, (int)options.Mark))
            throw new WireException($"FwMark needs CAP_NET_ADMIN: {Errors.Describe(Errno)}; take it out of the file, or run as root.");
    }

    private static bool Set(int descriptor, int level, int name, int value) => setsockopt(descriptor, level, name, &value, sizeof(int)) == 0;

    /// <returns>The port.</returns>
    private static ushort Bind(int descriptor, SocketFamily family, UdpPortOptions options)
    {
        var port = options.Port;
        var address = stackalloc byte[Sockaddr.Size];
        var place = new Span<byte>(address, Sockaddr.Size);
        if (options.Local is { } local)
            new Sockaddr(family, new IpEndpoint(local, port)).WriteTo(place);
        else
            Sockaddr.From(Sockaddr.Wildcard(family) with { Port = port }, family).WriteTo(place);
        var length = LengthOf(family);
        if (bind(descriptor, address, length) != 0)
        {
            var errno = Errno;
            throw new WireException(errno switch
            {
                Errors.EADDRINUSE => $"The UDP port {port} is in use: {options.InUse}.",
                Errors.EACCES => $"The UDP port {port} needs a privilege; {options.Privileged}.",
                Errors.EADDRNOTAVAIL => $"The host has no address {options.Local}; give one of its own.",
                _ => $"The UDP port {port} cannot be opened: {Errors.Describe(errno)}.",
            });
        }

        Errors.Check(getsockname(descriptor, address, &length), "getsockname");
        return Sockaddr.TryRead(place, out var bound) ? bound.Endpoint.Port : port;
    }

    private static uint LengthOf(SocketFamily family) => family == SocketFamily.V4 ? 16u : Sockaddr.Size;

    private static bool TryReadAddress(byte* address, uint length, out IpEndpoint from)
    {
        from = default;
        if (length < 16 || !Sockaddr.TryRead(new Span<byte>(address, Sockaddr.Size), out var read))
            return false;
        from = read.Endpoint;
        return from.Port != 0;
    }

    private uint WriteAddress(in IpEndpoint to, byte* address)
    {
        // A socket of IPv6 sends to mapped addresses; the scope of a link-local one is the kernel's to choose.
        new Sockaddr(_family, to).WriteTo(new Span<byte>(address, Sockaddr.Size));
        return LengthOf(_family);
    }

    /// <returns>errno, or 0.</returns>
    private int Send(byte* start, int count, int size, in DatagramPath path, byte* address, uint length)
    {
        var control = stackalloc byte[DatagramControl.Room];
        var vector = new IoVector { Base = start, Length = (nuint)count };
        var message = new MessageHeader { Name = address, NameLength = length, Vectors = &vector, VectorCount = 1, Control = control };
        message.ControlLength = (nuint)DatagramControl.Write(new Span<byte>(control, DatagramControl.Room), _family, path, size < count ? size : 0);
        if (sendmsg(Descriptor, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return 0;
        var errno = Errno;
        // The host has the address no more, or has no way from it to there.
        return path.Local != default && errno is (Errors.EINVAL or Errors.EADDRNOTAVAIL or Errors.ENETUNREACH or Errors.EHOSTUNREACH or Errors.ENODEV)
            ? Send(start, count, size, path with { Local = default }, address, length)
            : errno;
    }

    private bool AwaitRoom()
    {
        _wantsRoom = true;
        ChangeInterest(Interest);
        return false;
    }

    private void Refuse(int errno)
    {
        Refused++;
        _refusal = errno;
    }
}
