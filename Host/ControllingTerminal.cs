using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>The terminal that the program was started from, if there was one (tty(4)).</summary>
internal sealed class ControllingTerminal
{
    private const string Device = "/dev/tty";

    private readonly bool _wasThere = IsThere;

    /// <summary>There was one at the start, and it is gone. A program that a service manager starts never had one.</summary>
    public bool HasHungUp => _wasThere && !IsThere;

    private static bool IsThere
    {
        get
        {
            // The kernel takes it from all processes of its session before it tells the first: then there is no such device, whatever the name says.
            var descriptor = Libc.open(Device, Libc.O_RDONLY | Libc.O_NONBLOCK | Libc.O_CLOEXEC | Libc.O_NOCTTY, 0);
            if (descriptor < 0)
                return false;
            Libc.Close(descriptor);
            return true;
        }
    }
}
