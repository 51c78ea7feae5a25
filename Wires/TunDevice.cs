using Tapwire.Stack.Interfaces;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Wires;

/// <summary>The control calls of /dev/net/tun (linux/if_tun.h).</summary>
internal static unsafe class TunDevice
{
    public const string Path = "/dev/net/tun";

    private const int IFF_TUN = 0x0001;
    private const int IFF_TAP = 0x0002;
    private const int IFF_MULTI_QUEUE = 0x0100;
    private const int IFF_NO_PI = 0x1000;
    private const int IFF_VNET_HDR = 0x4000;

    private const nuint TUNGETIFF = 0x8004_54D2;
    private const nuint TUNSETIFF = 0x4004_54CA;
    private const nuint TUNGETFEATURES = 0x8004_54CF;
    private const nuint TUNSETOFFLOAD = 0x4004_54D0;
    private const nuint TUNSETVNETHDRSZ = 0x4004_54D8;

    private const uint TUN_F_CSUM = 0x01;
    private const uint TUN_F_TSO4 = 0x02;
    private const uint TUN_F_TSO6 = 0x04;
    private const uint TUN_F_TSO_ECN = 0x08;
    private const uint TUN_F_USO4 = 0x20;
    private const uint TUN_F_USO6 = 0x40;

    /// <summary>Opens a descriptor that is not yet attached to an interface.</summary>
    public static int Open()
    {
        var descriptor = open(Path, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
        if (descriptor >= 0)
            return descriptor;
        var errno = Errno;
        throw new WireException(errno switch
        {
            Errors.ENOENT or Errors.ENODEV or Errors.ENXIO =>
                $"There is no {Path}: load the kernel's tun module (modprobe tun), or give the container that device.",
            Errors.EACCES or Errors.EPERM => $"{Path} may not be opened: {Errors.Describe(errno)}; run as root, or have root give it back its usual mode ('chmod 666 {Path}'); a container must be allowed the device.",
            _ => $"{Path} cannot be opened: {Errors.Describe(errno)} (errno {errno}).",
        });
    }

    /// <summary>The features of the kernel's devices.</summary>
    public static TunFeatures FeaturesOf(int descriptor)
    {
        uint features = 0;
        return ioctl(descriptor, TUNGETFEATURES, &features) == 0 ? (TunFeatures)features & (TunFeatures.VirtioHeader | TunFeatures.MultiQueue) : TunFeatures.None;
    }

    /// <summary>The device can put a virtio header before each frame.</summary>
    public static bool HasVirtioHeader(int descriptor) => (FeaturesOf(descriptor) & TunFeatures.VirtioHeader) != 0;

    /// <summary>Attaches to an interface, and creates it if there is none of that name.</summary>
    /// <param name="multiQueue">Attaches as one queue of an interface that can have several (Linux's Documentation/networking/tuntap).</param>
    /// <returns>The interface's name.</returns>
    public static string Attach(int descriptor, string name, Medium medium, bool virtioHeader, bool multiQueue)
    {
        var request = new InterfaceControl.Request(name)
        {
            Flags = (short)((medium == Medium.Ethernet ? IFF_TAP : IFF_TUN) | IFF_NO_PI | (virtioHeader ? IFF_VNET_HDR : 0)
                | (multiQueue ? IFF_MULTI_QUEUE : 0)),
        };
        if (ioctl(descriptor, TUNSETIFF, &request) == 0)
            return request.Name;
        throw AttachFailed(name, medium, multiQueue, Errno);
    }

    /// <summary>Looks at a descriptor that somebody else has opened and attached.</summary>
    /// <returns>
    /// Null: it is a TUN device with one queue and a virtio header, open for reading and writing. Otherwise what it is, or lacks, in a sentence. Whether it has packet information
    /// (IFF_NO_PI) does not show, because TUNGETIFF answers with that bit when there is no filter; each frame of such a device is malformed.
    /// </returns>
    public static string? Problem(int descriptor)
    {
        var request = new InterfaceControl.Request("");
        if (ioctl(descriptor, TUNGETIFF, &request) != 0)
            return Errno == Errors.EBADFD ? "The TUN device is not attached to an interface (TUNSETIFF)." : "The descriptor is no TUN device.";
        if ((request.Flags & IFF_TAP) != 0)
            return $"{request.Name} is a TAP device; a TUN device is needed.";
        if ((request.Flags & IFF_VNET_HDR) == 0)
            return $"The TUN device {request.Name} has no virtio header; attach it with IFF_VNET_HDR.";
        // The kernel spreads what is sent over all queues, and only one of them is here.
        if ((request.Flags & IFF_MULTI_QUEUE) != 0)
            return $"The TUN device {request.Name} has several queues; attach it without IFF_MULTI_QUEUE.";
        return (fcntl(descriptor, F_GETFL, 0) & O_ACCMODE) == O_RDWR ? null : $"The TUN device {request.Name} is not open for reading and writing.";
    }

    /// <summary>
    /// Whether both are one device. A device with one queue has one open file, so that is asked for: the signal that fcntl(2) sets (F_SETSIG) belongs to the file, and is not sent unless
    /// asked for. kcmp(2) would say it without a trace, but the filters of containers refuse it.
    /// </summary>
    public static bool IsSame(int descriptor, int other)
    {
        // A file may have either by chance, but not one after the other.
        ReadOnlySpan<int> signals = [1, 2];
        var before = fcntl(descriptor, F_GETSIG, 0);
        var same = true;
        foreach (var signal in signals)
            same &= fcntl(descriptor, F_SETSIG, signal) == 0 && fcntl(other, F_GETSIG, 0) == signal;
        _ = fcntl(descriptor, F_SETSIG, before);
        return same;
    }

    /// <summary>Sets the length of the virtio header, which an earlier user of a persistent interface may have changed.</summary>
    public static void SetVirtioHeaderLength(int descriptor, string name, int length) =>
        Errors.Check(ioctl(descriptor, TUNSETVNETHDRSZ, &length), $"{name}: setting the length of the virtio header");

    /// <summary>Tells the device which offloads this end can take; asks for fewer until the device agrees.</summary>
    /// <returns>The offloads granted. UDP segmentation came with Linux 6.2.</returns>
    public static WireOffloads SetOffloads(int descriptor, WireOffloads wanted)
    {
        ReadOnlySpan<WireOffloads> attempts = [wanted, wanted & ~WireOffloads.UdpSegmentation, wanted & WireOffloads.Checksum];
        foreach (var attempt in attempts)
        {
            // The argument is the value itself.
            if (ioctl(descriptor, TUNSETOFFLOAD, (void*)Bits(attempt)) == 0)
                return attempt;
        }

        return WireOffloads.None;
    }

    private static nuint Bits(WireOffloads offloads)
    {
        uint bits = 0;
        if ((offloads & WireOffloads.Checksum) != 0)
            bits |= TUN_F_CSUM;
        if ((offloads & WireOffloads.TcpSegmentationV4) != 0)
            bits |= TUN_F_TSO4 | TUN_F_TSO_ECN;
        if ((offloads & WireOffloads.TcpSegmentationV6) != 0)
            bits |= TUN_F_TSO6 | TUN_F_TSO_ECN;
        if ((offloads & WireOffloads.UdpSegmentation) != 0)
            bits |= TUN_F_USO4 | TUN_F_USO6;
        return bits;
    }

    private static WireException AttachFailed(string name, Medium medium, bool multiQueue, int errno)
    {
        var mode = medium == Medium.Ethernet ? "tap" : "tun";
        var queues = multiQueue ? " multi_queue" : "";
        return new WireException(errno switch
        {
            Errors.EPERM => $"No permission for the {mode} device {name}: it needs CAP_NET_ADMIN; or run once as root "
                + $"'ip tuntap add dev {name} mode {mode} user $USER{queues}'; or run inside 'unshare -Urn'.",
            Errors.EBUSY => $"The {mode} device {name} is in use: another program is attached to it.",
            Errors.E2BIG => $"The {mode} device {name} has no queue left: another program is attached to it, or more are asked for than the kernel has.",
            Errors.EINVAL => $"{name} exists and is not a {(multiQueue ? "multi-queue" : "single-queue")} {mode} device, or cannot be an interface's name"
                + (multiQueue ? $"; 'ip tuntap add dev {name} mode {mode}{queues}' makes one." : "; choose another name."),
            _ => $"The {mode} device {name} cannot be attached: {Errors.Describe(errno)} (errno {errno}).",
        });
    }
}

/// <summary>Features of the kernel's TAP and TUN devices, with the numbers of linux/if_tun.h.</summary>
[Flags]
internal enum TunFeatures : uint
{
    None = 0,

    /// <summary>IFF_MULTI_QUEUE.</summary>
    MultiQueue = 0x0100,

    /// <summary>IFF_VNET_HDR.</summary>
    VirtioHeader = 0x4000,
}
