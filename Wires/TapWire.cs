using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Link;
using Tapwire.Wires.Posix;
using static Tapwire.Wires.Posix.Libc;

namespace Tapwire.Wires;

/// <summary>A TAP or TUN device of the kernel: what the kernel sends on that interface is read here, and what is written here it receives.</summary>
public sealed unsafe class TapWire : IWire, IPlacingWire
{
    private const int EthernetHeader = 14;

    // A frame is read into the head of a small buffer and, what does not fit there, into a large one behind room for the head. Frames up to MTU size
    // are so read into place and leave the large buffer, untouched, for the next read; only of a larger one the head is copied once, 2 KiB of up to
    // 64. Reading all frames into large buffers and copying the small ones out costs a copy per frame; keeping them there, 64 KiB each.
    private const int HeadLength = 2048;

    private readonly int _descriptor;
    private readonly int _linkHeader;
    private readonly int _virtioLength;

    // What the next frame is read into, kept from one read to the next.
    private PacketBuffer? _head;
    private PacketBuffer? _large;

    // All frames fit the head: a plain read is cheaper than one of three vectors.
    private bool _fitHead;
    private DeviceWatch? _watch;
    private BurstGauge _burst = new();
    private bool _disposed;

    private TapWire(int descriptor, string name, Medium medium, int mtu, MacAddress? address, bool virtioHeader, WireOffloads offloads)
    {
        _descriptor = descriptor;
        Name = name;
        Medium = medium;
        Mtu = mtu;
        HardwareAddress = address;
        Offloads = offloads;
        _linkHeader = medium == Medium.Ethernet ? EthernetHeader : 0;
        _virtioLength = virtioHeader ? VirtioNetHeader.Length : 0;
        _fitHead = !virtioHeader && mtu + _linkHeader < HeadLength;
    }

    public string Name { get; }

    public Medium Medium { get; }

    public int Mtu { get; }

    public MacAddress? HardwareAddress { get; }

    public WireOffloads Offloads { get; }

    public long Refused { get; private set; }

    /// <summary>Opens the device in the network namespace of the calling thread. Afterwards the wire can be used on any thread.</summary>
    /// <exception cref="WireException">The message says what is missing and how to get it.</exception>
    /// <exception cref="ArgumentException">An option is wrong.</exception>
    public static TapWire Open(TapWireOptions options)
    {
        options.Validate();
        var descriptor = TunDevice.Open();
        try
        {
            // With the kernel's offloads off the header would say nothing: then frames go without.
            var virtioHeader = options.Offloads != WireOffloads.None && TunDevice.HasVirtioHeader(descriptor);
            var name = TunDevice.Attach(descriptor, options.Name, options.Medium, virtioHeader, options.MultiQueue);
            if (virtioHeader)
                TunDevice.SetVirtioHeaderLength(descriptor, name, VirtioNetHeader.Length);
            var offloads = TunDevice.SetOffloads(descriptor, virtioHeader ? options.Offloads : WireOffloads.None);

            using var control = new InterfaceControl(name);
            var mtu = PrepareInterface(control, name, options);
            var address = options.Medium == Medium.Ethernet ? ChooseAddress(options, name, control.HardwareAddress) : (MacAddress?)null;
            return new TapWire(descriptor, name, options.Medium, mtu, address, virtioHeader, offloads);
        }
        catch (PosixException e)
        {
            Close(descriptor);
            throw new WireException(e.Message, e);
        }
        catch
        {
            Close(descriptor);
            throw;
        }
    }

    public void Start(IReactor reactor, Action<Readiness> ready)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_watch is not null)
            throw new InvalidOperationException($"{Name} has been started already.");
        _watch = new DeviceWatch(ready);
        _watch.Start(reactor, _descriptor);
    }

    public int Read(BufferPool pool, Span<PacketBuffer> frames, out bool more)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var repeats = _watch is not null && _watch.BeginRead();
        var limit = repeats ? Math.Min(frames.Length, _burst.Limit) : frames.Length;
        var read = 0;
        var header = stackalloc byte[VirtioNetHeader.Length];
        try
        {
            while (read < limit)
            {
                _head ??= RentHead(pool);
                if (!_fitHead)
                    _large ??= RentLarge(pool);
                var length = ReadFrame(header, _head, _large);
                if (length < 0)
                    break;
                if (!TryFinish(new ReadOnlySpan<byte>(header, VirtioNetHeader.Length), length, _head, _large, out var frame))
                {
                    Refused++;
                    continue;
                }

                frames[read++] = frame;
                if (frame == _head)
                    _head = null;
                else
                    _large = null;
            }
        }
        catch
        {
            foreach (var frame in frames[..read])
                frame.Release();
            throw;
        }

        if (repeats)
            _burst.Read(read, limit);
        more = !repeats && read == limit;
        return read;
    }

    int IPlacingWire.FrameRoom => _fitHead ? HeadLength : 0;

    int IPlacingWire.ReadFrame(Span<byte> room)
    {
        _watch?.BeginRead(); // what it leaves is reported, too: whoever places frames reads until nothing is left
        ObjectDisposedException.ThrowIf(_disposed, this);
        fixed (byte* start = room)
        {
            var length = ReadPlain(start, room.Length);
            if (length < 0 || IsUsable(length))
                return length;
        }

        Refused++;
        return 0;
    }

    public int Write(ReadOnlySpan<PacketBuffer> frames)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var header = stackalloc byte[VirtioNetHeader.Length];
        var vectors = stackalloc IoVector[PacketBuffer.MaxFragments + 2];
        for (var i = 0; i < frames.Length; i++)
        {
            var frame = frames[i];
            var acceptable = _virtioLength > 0
                ? VirtioNetHeader.TryEmit(frame, Offloads, new Span<byte>(header, VirtioNetHeader.Length))
                : frame.Offload is { Checksum: not ChecksumState.Partial, Segmentation: Segmentation.None };
            if (!acceptable)
            {
                Refused++;
                continue;
            }

            if (!TryWrite(vectors, Gather(frame, header, vectors)))
            {
                _watch?.WatchForRoom(true);
                return i;
            }
        }

        _watch?.WatchForRoom(false);
        return frames.Length;
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _watch?.Dispose();
        _head?.Release();
        _large?.Release();
        Close(_descriptor);
    }

    private static int PrepareInterface(InterfaceControl control, string name, TapWireOptions options)
    {
        var mtu = control.Mtu;
        if (options.Mtu is { } wanted && wanted != mtu)
        {
            Configure(() => control.SetMtu(wanted), $"{name} has MTU {mtu}", $"ip link set {name} mtu {wanted}");
            mtu = wanted;
        }

        if (options.BringUp && !control.IsUp)
            Configure(control.SetUp, $"{name} is down", $"ip link set {name} up");
        return mtu;
    }

    private static void Configure(Action change, string state, string remedy)
    {
        try
        {
            change();
        }
        catch (PosixException e) when (e.Errno == Errors.EPERM)
        {
            throw new WireException($"{state}, and changing that needs CAP_NET_ADMIN: run '{remedy}' as root.", e);
        }
    }

    private static MacAddress ChooseAddress(TapWireOptions options, string name, MacAddress kernels)
    {
        if (options.HardwareAddress is { } given)
        {
            return given != kernels ? given
                : throw new WireException($"{given} is the kernel's own address on {name}: this end needs another one.");
        }

        Span<byte> random = stackalloc byte[6];
        MacAddress address;
        do
        {
            RandomNumberGenerator.Fill(random);

            // Locally administered, not a group (IEEE 802, 8.2).
            random[0] = (byte)(random[0] & 0xFC | 0x02);
            address = MacAddress.FromBytes(random);
        }
        while (address == kernels);
        return address;
    }

    private static PacketBuffer RentHead(BufferPool pool)
    {
        var head = pool.Rent(HeadLength);
        head.Append(HeadLength);
        return head;
    }

    private static PacketBuffer RentLarge(BufferPool pool)
    {
        var large = pool.Rent(BufferPool.MaxCapacity - HeadLength, HeadLength);
        large.Append(BufferPool.MaxCapacity - HeadLength);
        return large;
    }

    /// <summary>Reads one frame into head and, where not all fit that, large; -1 if there is none.</summary>
    private int ReadFrame(byte* header, PacketBuffer head, PacketBuffer? large)
    {
        if (_fitHead)
            return ReadPlain(head.Pointer, HeadLength);
        nint count;
        do
            count = Scatter(header, head, large!);
        while (count < _virtioLength && IsToBeRepeated(count < 0 ? Errno : Errors.EIO));
        return count < 0 ? -1 : (int)count - _virtioLength;
    }

    /// <summary>Reads one frame of a device without virtio header; -1 if there is none.</summary>
    private int ReadPlain(byte* start, int room)
    {
        nint count;
        int errno;
        do
            count = Libc.Read(_descriptor, start, (nuint)room, out errno);
        while (count < 0 && IsToBeRepeated(errno));
        if (count < room)
            return (int)count;

        // The interface has been given a larger MTU meanwhile: this frame is cut, the next will not be.
        _fitHead = false;
        return BufferPool.MaxCapacity;
    }

    /// <summary>Says of a read that gave nothing whether it was only interrupted; otherwise there is nothing to be read.</summary>
    private bool IsToBeRepeated(int errno)
    {
        if (errno == Errors.EINTR)
            return true;
        if (errno == Errors.EAGAIN && _watch is not { HasHungUp: true })
            return false;
        throw Gone(errno, "read");
    }

    /// <summary>The kernel cuts a frame to the room given without saying so: one that fills it all is taken for cut.</summary>
    private bool IsUsable(int length) => length >= Math.Max(_linkHeader, 1) && length < BufferPool.MaxCapacity;

    private nint Scatter(byte* header, PacketBuffer head, PacketBuffer large)
    {
        var vectors = stackalloc IoVector[3];
        vectors[0] = new IoVector { Base = header, Length = (nuint)_virtioLength };
        vectors[1] = new IoVector { Base = head.Pointer, Length = HeadLength };
        vectors[2] = new IoVector { Base = large.Pointer, Length = (nuint)large.Length };
        return readv(_descriptor, vectors, 3);
    }

    /// <summary>Makes a frame of what has been read.</summary>
    private bool TryFinish(ReadOnlySpan<byte> header, int length, PacketBuffer head, PacketBuffer? large, out PacketBuffer frame)
    {
        frame = head;
        if (!IsUsable(length))
            return false;
        if (length > HeadLength)
        {
            frame = large!;
            head.Span.CopyTo(frame.Prepend(HeadLength));
        }

        var note = default(OffloadNote);
        if (_virtioLength > 0 && !VirtioNetHeader.TryParse(header, frame.Span[..length], _linkHeader, out note))
        {
            if (frame == large)
                frame.TrimStart(HeadLength);
            return false;
        }

        frame.Truncate(length);
        frame.Offload = note;
        return true;
    }

    private int Gather(PacketBuffer frame, byte* header, IoVector* vectors)
    {
        var count = 0;
        if (_virtioLength > 0)
            vectors[count++] = new IoVector { Base = header, Length = VirtioNetHeader.Length };
        vectors[count++] = new IoVector { Base = frame.Pointer, Length = (nuint)frame.Length };
        for (var i = 0; i < frame.FragmentCount; i++)
        {
            var pointer = frame.GetFragmentPointer(i, out var length);
            vectors[count++] = new IoVector { Base = pointer, Length = (nuint)length };
        }

        return count;
    }

    /// <summary>Writes one frame, or counts it as refused; false if the device is full.</summary>
    private bool TryWrite(IoVector* vectors, int count)
    {
        while (writev(_descriptor, vectors, count) < 0)
        {
            var errno = Errno;
            switch (errno)
            {
                case Errors.EINTR:
                    continue;
                case Errors.EAGAIN:
                    return false;
                case Errors.EBADFD or Errors.EBADF or Errors.ENODEV or Errors.ENXIO:
                    throw Gone(errno, "written");
                default:
                    // EINVAL: malformed; EIO: the interface is down; ENOMEM: as a busy device would drop it.
                    Refused++;
                    return true;
            }
        }

        return true;
    }

    private WireException Gone(int errno, string verb) => errno is Errors.EBADFD or Errors.EAGAIN
        ? new WireException($"{Name} has been removed.")
        : new WireException($"{Name} can no longer be {verb}: {Errors.Describe(errno)} (errno {errno}).");
}
