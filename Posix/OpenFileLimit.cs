using static Tapwire.Posix.Libc;

namespace Tapwire.Posix;

/// <summary>
/// The limit on this process's open files (RLIMIT_NOFILE), and who may use the last of them. What peers and applications cause stays below a ceiling. What is
/// above it is kept for what must go on in need: threads and libraries of the runtime, which ends the process where it gets no descriptor for them, a wire that is
/// opened again, and somebody who asks how the driver is.
/// </summary>
/// <remarks>
/// Nobody counts. The kernel gives every new descriptor the lowest number that is free, so that one whose number has reached the ceiling says that all below
/// are in use.
/// </remarks>
internal sealed class OpenFileLimit
{
    /// <summary>Some 25 are what the runtime was seen to open late: libraries for the status, for a trace in the log, for an orderly stop.</summary>
    private const int LeastReserve = 48;
    private const int MostReserve = 1024;

    /// <summary>The runtime's alone, out of reach even of a status session: a new thread needs two for a moment.</summary>
    private const int RuntimeReserve = 12;

    private readonly Func<int> _read;
    private volatile int _limit;

    /// <param name="read">Tells the limit as it is now.</param>
    internal OpenFileLimit(Func<int> read)
    {
        _read = read;
        _limit = read();
    }

    /// <summary>This process's. The runtime has raised the soft limit to the hard one when the process began.</summary>
    public static OpenFileLimit OfProcess { get; } = new(Read);

    /// <summary>How many files the process may have open at once.</summary>
    public int Limit => _limit;

    /// <summary>Descriptors from this number on are not for what peers and applications cause.</summary>
    public int Ceiling => _limit - Reserve;

    /// <summary>Descriptors from this number on are not for sessions of the link either: the reserve lets somebody in who asks for the status.</summary>
    public int SessionCeiling => _limit - RuntimeReserve;

    private int Reserve => Math.Clamp(_limit / 64, LeastReserve, MostReserve);

    /// <summary>Whether a descriptor that has just been made may be kept. Whoever made it closes it if not.</summary>
    public bool Admits(int descriptor) => IsBelow(descriptor, static limit => limit.Ceiling);

    /// <summary>As <see cref="Admits"/>, for a session of the link.</summary>
    public bool AdmitsSession(int descriptor) => IsBelow(descriptor, static limit => limit.SessionCeiling);

    /// <summary>How many files are open now, as /proc/self/fd has it; the one that this takes itself is not counted.</summary>
    public static int Used() => Directory.EnumerateFileSystemEntries("/proc/self/fd").Count() - 1;

    /// <summary>Somebody may have raised the limit of a process that runs (prlimit(1)): that is looked at when it matters.</summary>
    private bool IsBelow(int descriptor, Func<OpenFileLimit, int> ceiling)
    {
        if (descriptor < ceiling(this))
            return true;
        _limit = _read();
        return descriptor < ceiling(this);
    }

    private static unsafe int Read()
    {
        ResourceLimit limit;
        return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.Current < int.MaxValue ? (int)limit.Current : int.MaxValue;
    }
}
