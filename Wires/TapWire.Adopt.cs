using Tapwire.Stack.Interfaces;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Wires;

// A device that was made elsewhere.
public sealed unsafe partial class TapWire
{
    /// <summary>Offloads to ask a namespace's device for.</summary>
    public const WireOffloads GuestOffloads = WireOffloads.Checksum | WireOffloads.TcpSegmentationV4 | WireOffloads.TcpSegmentationV6 | WireOffloads.UdpSegmentation;

    /// <summary>Takes over a TUN device that another process has made, in a network namespace of its own, and passed here. That process may be hostile.</summary>
    /// <param name="descriptor">The wire's from now on, also on failure.</param>
    /// <param name="name">A name for the log.</param>
    /// <param name="mtu">The MTU of the interface.</param>
    /// <exception cref="WireException">It is no such device.</exception>
    public static TapWire Adopt(int descriptor, string name, int mtu, WireOffloads offloads)
    {
        try
        {
            if (TunDevice.Problem(descriptor) is { } problem)
                throw new WireException(problem);
            TunDevice.SetVirtioHeaderLength(descriptor, name, VirtioNetHeader.Length);
            Errors.Check(fcntl(descriptor, F_SETFL, O_RDWR | O_NONBLOCK), $"{name}: fcntl");
            return new TapWire(descriptor, name, Medium.Ip, mtu, null, virtioHeader: true, TunDevice.SetOffloads(descriptor, offloads), isShared: true);
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

    /// <summary>Whether this adopted wire is the same device as another one, which somebody else may be closing. Two owners would each get a part of what is sent.</summary>
    public bool IsSameDevice(TapWire other) => !Volatile.Read(ref other._disposed) && TunDevice.IsSame(_descriptor, other._descriptor);
}
