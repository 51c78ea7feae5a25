using System.Globalization;

namespace Tapwire;

/// <summary>Runs of labs: one after the other, each with a thread for its loop.</summary>
internal static class LabRun
{
    public const string SeedVariable = "TAPWIRE_LAB_SEED";
    public const string RunsVariable = "TAPWIRE_LAB_RUNS";
    public const string CapturesVariable = "TAPWIRE_LAB_CAPTURES";

    private static readonly SemaphoreSlim OneAtATime = new(1, 1);
    private static readonly AsyncLocal<bool> IsWithin = new();

    /// <exception cref="ArgumentException">A variable is no number.</exception>
    public static (long First, int Count) SeedsOf(LabOptions options, Func<string, string?> environment)
    {
        if (environment(SeedVariable) is { Length: > 0 } seed)
            return (long.TryParse(seed, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var one) ? one : throw new ArgumentException($"{SeedVariable} is '{seed}'; it must be a seed, as in 7."), 1);
        if (environment(RunsVariable) is { Length: > 0 } runs)
            return (options.Seed, int.TryParse(runs, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count is >= 1 and <= 1_000_000 ? count
                : throw new ArgumentException($"{RunsVariable} is '{runs}'; it must be a number of runs, 1 to 1000000."));
        return (options.Seed, options.Runs);
    }

    public static async Task<LabReport> AllAsync((long First, int Count) seeds, LabOptions options, Func<Lab, Task> program)
    {
        if (IsWithin.Value)
            throw new InvalidOperationException("A lab cannot run within another one: it would wait for that to end.");
        LabReport? last = null;
        for (var i = 0; i < seeds.Count; i++)
        {
            await OneAtATime.WaitAsync().ConfigureAwait(false);
            try
            {
                last = await OneAsync(unchecked(seeds.First + i), options, program).ConfigureAwait(false);
            }
            finally
            {
                OneAtATime.Release();
            }
        }

        return last!;
    }

    private static Task<LabReport> OneAsync(long seed, LabOptions options, Func<Lab, Task> program)
    {
        var done = new TaskCompletionSource<LabReport>(TaskCreationOptions.RunContinuationsAsynchronously);
        // What the caller has in its context, such as its test, the program has, too.
        var thread = new Thread(() =>
        {
            try
            {
                done.SetResult(Run(seed, options, program));
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        })
        {
            IsBackground = true,
            Name = FormattableString.Invariant($"lab {seed}"),
        };
        thread.Start();
        return done.Task;
    }

    private static LabReport Run(long seed, LabOptions options, Func<Lab, Task> program)
    {
        IsWithin.Value = true;
        var loop = new LabLoop(new LabTimers());
        var system = LabSystem.Create(loop, options.Log);
        var lab = new Lab(options, seed, loop, system);
        Task running;
        string? problem;
        using (var pool = new LabThreadPool(options.Patience))
        {
            running = Task.Run(() => program(lab));
            problem = loop.RunUntil(running, pool, options.TimeLimit);
        }

        var report = new LabReport(seed, lab.Elapsed, lab.Cable.Counters, lab.GetCapture());
        loop.RunOut(system.Terminate());
        if (problem is null && running.IsCompletedSuccessfully)
            return report;
        var cause = problem is not null ? null : running.Exception?.InnerExceptions is [var only] ? only : running.Exception ?? (Exception)new OperationCanceledException("The program has been cancelled.");
        throw Failure(report, problem ?? cause!.Message, cause, options);
    }

    private static LabException Failure(LabReport report, string reason, Exception? cause, LabOptions options)
    {
        string? path = null;
        string packets;
        try
        {
            path = Write(report, options);
            packets = $"The packets are in {path} ({report.Frames}).";
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            packets = $"The packets could not be written: {e.Message} ({report.Frames}).";
        }

        return new LabException(FormattableString.Invariant($"The lab's run with seed {report.Seed} has failed after {report.Duration.TotalSeconds:0.######} s of its time: {reason}\n{packets}\nThe same run again: {SeedVariable}={report.Seed}"),
            cause, report, path);
    }

    private static string Write(LabReport report, LabOptions options)
    {
        var folder = options.CaptureDirectory ?? (Environment.GetEnvironmentVariable(CapturesVariable) is { Length: > 0 } set ? set : Path.Combine(Path.GetTempPath(), "tapwire-lab"));
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, FormattableString.Invariant($"seed-{report.Seed}-{Guid.NewGuid():N}.pcapng"));
        File.WriteAllBytes(path, report.Capture.Span);
        return path;
    }
}
