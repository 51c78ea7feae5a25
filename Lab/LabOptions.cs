namespace Tapwire;

/// <summary>How labs run.</summary>
public sealed record LabOptions
{
    internal static readonly DateTimeOffset Epoch = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>What everything random in the lab derives from. The environment variable TAPWIRE_LAB_SEED goes before it.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>How many runs there are, with this seed and those that follow it, 1 to 1,000,000; the first that fails ends them. The environment variable TAPWIRE_LAB_RUNS goes before it; with TAPWIRE_LAB_SEED there is one.</summary>
    public int Runs { get; init; } = 1;

    /// <summary>The lab's time after which a run fails, up to 1000 days. Time costs nothing by itself.</summary>
    public TimeSpan TimeLimit { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How long programs may compute, or block a thread, before the run fails: real time, 100 ms to an hour.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>What <see cref="Lab.Time"/> says at the beginning.</summary>
    public DateTimeOffset Start { get; init; } = Epoch;

    /// <summary>Where the packets of a run that fails are written. Null: that of TAPWIRE_LAB_CAPTURES, or the folder tapwire-lab of the system's for temporary files.</summary>
    public string? CaptureDirectory { get; init; }

    /// <summary>Bytes of packets that are kept of a run, 64 KiB to 1 GiB; what comes later is not recorded, and counted.</summary>
    public int CaptureBytes { get; init; } = 64 << 20;

    /// <summary>Gets what the hosts' drivers log, a line each, warnings and errors. Called from the lab's own thread; it must not block.</summary>
    public Action<string>? Log { get; init; }

    /// <exception cref="ArgumentException">An option has a value that it cannot have.</exception>
    internal void Check()
    {
        Check(Runs is >= 1 and <= 1_000_000, nameof(Runs), Runs, "1 to 1,000,000");
        Check(TimeLimit > TimeSpan.Zero && TimeLimit <= TimeSpan.FromDays(1000), nameof(TimeLimit), TimeLimit, "more than 0, up to 1000 days");
        Check(Patience >= TimeSpan.FromMilliseconds(100) && Patience <= TimeSpan.FromHours(1), nameof(Patience), Patience, "100 ms to an hour");
        Check(Start >= DateTimeOffset.UnixEpoch && Start.Year < 2200, nameof(Start), Start, "a day from 1970 to 2199");
        Check(CaptureBytes is >= 65536 and <= 1 << 30, nameof(CaptureBytes), CaptureBytes, "64 KiB to 1 GiB");
    }

    private static void Check(bool isRight, string option, object value, string accepted)
    {
        if (!isRight)
            throw new ArgumentException(FormattableString.Invariant($"LabOptions.{option} cannot be {value}: {accepted} is accepted."), option);
    }
}

/// <summary>A run that has come to its end.</summary>
public sealed class LabReport
{
    internal LabReport(long seed, TimeSpan duration, LabCounters frames, byte[] capture) => (Seed, Duration, Frames, Capture) = (seed, duration, frames, capture);

    /// <summary>Its seed.</summary>
    public long Seed { get; }

    /// <summary>The lab's time that has passed.</summary>
    public TimeSpan Duration { get; }

    /// <summary>What has become of all frames.</summary>
    public LabCounters Frames { get; }

    /// <summary>The packets of the run, a file of pcapng.</summary>
    public ReadOnlyMemory<byte> Capture { get; }

    /// <inheritdoc/>
    public override string ToString() => FormattableString.Invariant($"seed {Seed}: {Duration.TotalSeconds:0.######} s of the lab's time; {Frames}");
}

/// <summary>A run has failed. The message has the seed that repeats it, the reason, and where its packets are; the inner exception is what the program has thrown.</summary>
public sealed class LabException : Exception
{
    /// <summary>An exception without a message.</summary>
    public LabException()
    {
    }

    /// <summary>An exception that says why.</summary>
    public LabException(string message)
        : base(message)
    {
    }

    /// <summary>An exception that says why, and what it comes from.</summary>
    public LabException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    internal LabException(string message, Exception? innerException, LabReport report, string? capturePath)
        : base(message, innerException) =>
        (Report, CapturePath) = (report, capturePath);

    /// <summary>The run until it failed.</summary>
    public LabReport? Report { get; }

    /// <summary>The file with its packets (pcapng); null: it could not be written.</summary>
    public string? CapturePath { get; }
}
