using static Tapwire.Posix.Libc;

namespace Tapwire.Posix;

/// <summary>
/// The limit on this process's open files (RLIMIT_NOFILE), and a reserve of the last of them. Descriptors for peers and applications stay below a ceiling. Those
/// above it are for what must go on even then: threads and libraries of the runtime, which kills the process if it gets no descriptor for them; a wire that is
/// opened again; and a session that asks for the driver's status.
/// </summary>
/// <remarks>
/// Descriptors are not counted. The kernel gives a new descriptor the lowest number that is free: if that reaches the ceiling, all numbers below are in use.
/// </remarks>
internal sealed class OpenFileLimit
{
    /// <summary>The runtime was seen to open some 25 late: libraries for the status, for a stack trace in the log, for an orderly stop.</summary>
    private const int LeastReserve = 48;
    private const int MostReserve = 1024;

    /// <summary>The runtime's alone, out of reach even of a status session: a new thread needs two for a moment.</summary>
    private const int RuntimeReserve = 12;

    private readonly Func<int> _read;
    private volatile int _limit;
    private long _refused;
    private long _refusedAt;

    /// <param name="read">Reads the current limit.</param>
    internal OpenFileLimit(Func<int> read)
    {
        _read = read;
        _limit = read();
    }

    /// <summary>This process's limit. The runtime raises the soft limit to the hard one when it starts.</summary>
    public static OpenFileLimit OfProcess { get; } = new(Read);

    /// <summary>How many files the process may have open at once.</summary>
    public int Limit => _limit;

    /// <summary>Descriptors from this number on are not for peers and applications.</summary>
    public int Ceiling => _limit - Reserve;

    /// <summary>Descriptors from this number on are not for sessions of the link either. A session above <see cref="Ceiling"/> can ask for the status.</summary>
    public int SessionCeiling => _limit - RuntimeReserve;

    /// <summary>How many descriptors were not kept, or not had, because of the limit.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Since the last of them; null: there was none.</summary>
    public TimeSpan? SinceRefusal => Refused == 0 ? null : TimeSpan.FromMilliseconds(Environment.TickCount64 - Interlocked.Read(ref _refusedAt));

    private int Reserve => Math.Clamp(_limit / 64, LeastReserve, MostReserve);

    /// <summary>Whether a new descriptor may be kept. If not, the caller closes it.</summary>
    public bool Admits(int descriptor) => IsBelow(descriptor, static limit => limit.Ceiling);

    /// <summary>As <see cref="Admits"/>, for a session of the link.</summary>
    public bool AdmitsSession(int descriptor) => IsBelow(descriptor, static limit => limit.SessionCeiling);

    /// <summary>Counts a descriptor that was not kept, or that the kernel has not given.</summary>
    public void CountRefusal()
    {
        Interlocked.Exchange(ref _refusedAt, Environment.TickCount64);
        Interlocked.Increment(ref _refused);
    }

    /// <summary>The number of open files, from /proc/self/fd, without the one that looking there takes.</summary>
    public static int Used() => Directory.EnumerateFileSystemEntries("/proc/self/fd").Count() - 1;

    /// <summary>Reads the limit again before it refuses: somebody may have raised it meanwhile (prlimit(1)).</summary>
    private bool IsBelow(int descriptor, Func<OpenFileLimit, int> ceiling)
    {
        if (descriptor < ceiling(this))
            return true;
        _limit = _read();
        if (descriptor < ceiling(this))
            return true;
        CountRefusal();
        return false;
    }

    private static unsafe int Read()
    {
        ResourceLimit limit;
        return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.Current < int.MaxValue ? (int)limit.Current : int.MaxValue;
    }
}
