using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>The controlling terminal (tty(4)) that the program was started from, if there was one.</summary>
internal sealed class ControllingTerminal
{
    private const string Device = "/dev/tty";

    private readonly bool _wasThere = IsThere;

    /// <summary>True when there was a terminal at the start, and it is gone. A program that a service manager starts never had one.</summary>
    public bool HasHungUp => _wasThere && !IsThere;

    private static bool IsThere
    {
        get
        {
            // On a hang-up the kernel detaches the terminal from the whole session before it sends the first SIGHUP. Opening it then fails, although the file exists.
            var descriptor = Libc.open(Device, Libc.O_RDONLY | Libc.O_NONBLOCK | Libc.O_CLOEXEC | Libc.O_NOCTTY, 0);
            if (descriptor < 0)
                return false;
            Libc.Close(descriptor);
            return true;
        }
    }
}
