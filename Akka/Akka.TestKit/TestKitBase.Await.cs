using Akka.Event;
using Akka.TestKit.Internal;

namespace Akka.TestKit;

public abstract partial class TestKitBase
{
    // Without a given interval, the waits between two attempts double from the first to the limit.
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan AssertInterval = TimeSpan.FromMilliseconds(800);

    /// <summary>Tries the condition until it holds; fails if it does not in <see cref="RemainingOrDefault"/>.</summary>
    public void AwaitCondition(Func<bool> conditionIsFulfilled, CancellationToken cancellationToken = default) =>
        AwaitCondition(conditionIsFulfilled, null, null, cancellationToken);

    /// <inheritdoc cref="AwaitCondition(Func{bool}, TimeSpan?, TimeSpan?, string, CancellationToken)"/>
    public void AwaitCondition(Func<bool> conditionIsFulfilled, TimeSpan? max, CancellationToken cancellationToken = default) =>
        AwaitCondition(conditionIsFulfilled, max, null, cancellationToken);

    /// <inheritdoc cref="AwaitCondition(Func{bool}, TimeSpan?, TimeSpan?, string, CancellationToken)"/>
    public void AwaitCondition(Func<bool> conditionIsFulfilled, TimeSpan? max, string message, CancellationToken cancellationToken = default) =>
        Completed(AwaitCore(true, AtOnce(conditionIsFulfilled), RemainingOrDilated(max), null, Failing(message), cancellationToken));

    /// <summary>Tries the condition until it holds; fails if it does not in time.</summary>
    /// <param name="max">The time (dilated); <see cref="RemainingOrDefault"/> if it is not given.</param>
    /// <param name="interval">How long to wait between two attempts; null or infinite attempts once more at the end.</param>
    public void AwaitCondition(
        Func<bool> conditionIsFulfilled, TimeSpan? max, TimeSpan? interval, string message = null, CancellationToken cancellationToken = default) =>
        Completed(AwaitCore(true, AtOnce(conditionIsFulfilled), RemainingOrDilated(max), Interval(interval), Failing(message), cancellationToken));

    /// <inheritdoc cref="AwaitCondition(Func{bool}, CancellationToken)"/>
    public Task AwaitConditionAsync(Func<bool> conditionIsFulfilled, CancellationToken cancellationToken = default) =>
        AwaitConditionAsync(conditionIsFulfilled, null, (string)null, cancellationToken);

    /// <inheritdoc cref="AwaitCondition(Func{bool}, CancellationToken)"/>
    public Task AwaitConditionAsync(Func<Task<bool>> conditionIsFulfilled, CancellationToken cancellationToken = default) =>
        AwaitConditionAsync(conditionIsFulfilled, null, (string)null, cancellationToken);

    /// <inheritdoc cref="AwaitCondition(Func{bool}, TimeSpan?, TimeSpan?, string, CancellationToken)"/>
    public Task AwaitConditionAsync(Func<Task<bool>> conditionIsFulfilled, TimeSpan? max, CancellationToken cancellationToken = default) =>
        AwaitConditionAsync(conditionIsFulfilled, max, (string)null, cancellationToken);

    /// <inheritdoc cref="AwaitCondition(Func{bool}, TimeSpan?, TimeSpan?, string, CancellationToken)"/>
    public Task AwaitConditionAsync(
        Func<bool> conditionIsFulfilled, TimeSpan? max, string message, CancellationToken cancellationToken = default) =>
        AwaitCore(false, AtOnce(conditionIsFulfilled), RemainingOrDilated(max), null, Failing(message), cancellationToken).AsTask();

    /// <inheritdoc cref="AwaitCondition(Func{bool}, TimeSpan?, TimeSpan?, string, CancellationToken)"/>
    public Task AwaitConditionAsync(
        Func<Task<bool>> conditionIsFulfilled, TimeSpan? max, string message, CancellationToken cancellationToken = default) =>
        AwaitCore(false, conditionIsFulfilled, RemainingOrDilated(max), null, Failing(message), cancellationToken).AsTask();

    /// <inheritdoc cref="AwaitCondition(Func{bool}, TimeSpan?, TimeSpan?, string, CancellationToken)"/>
    public Task AwaitConditionAsync(
        Func<bool> conditionIsFulfilled, TimeSpan? max, TimeSpan? interval, string message = null, CancellationToken cancellationToken = default) =>
        AwaitConditionAsync(AtOnce(conditionIsFulfilled), max, interval, message, cancellationToken);

    /// <inheritdoc cref="AwaitCondition(Func{bool}, TimeSpan?, TimeSpan?, string, CancellationToken)"/>
    public Task AwaitConditionAsync(
        Func<Task<bool>> conditionIsFulfilled, TimeSpan? max, TimeSpan? interval, string message = null,
        CancellationToken cancellationToken = default) =>
        AwaitCore(false, conditionIsFulfilled, RemainingOrDilated(max), Interval(interval), Failing(message), cancellationToken).AsTask();

    /// <summary>Tries the condition until it holds; says whether it did in time.</summary>
    /// <param name="max">The time, not dilated.</param>
    /// <param name="interval">How long to wait between two attempts.</param>
    public bool AwaitConditionNoThrow(
        Func<bool> conditionIsFulfilled, TimeSpan max, TimeSpan? interval = null, CancellationToken cancellationToken = default) =>
        Completed(AwaitCore(true, AtOnce(conditionIsFulfilled), max, interval, null, cancellationToken));

    /// <inheritdoc cref="AwaitConditionNoThrow"/>
    public Task<bool> AwaitConditionNoThrowAsync(
        Func<bool> conditionIsFulfilled, TimeSpan max, TimeSpan? interval = null, CancellationToken cancellationToken = default) =>
        AwaitConditionNoThrowAsync(AtOnce(conditionIsFulfilled), max, interval, cancellationToken);

    /// <inheritdoc cref="AwaitConditionNoThrow"/>
    public Task<bool> AwaitConditionNoThrowAsync(
        Func<Task<bool>> conditionIsFulfilled, TimeSpan max, TimeSpan? interval = null, CancellationToken cancellationToken = default) =>
        AwaitCore(false, conditionIsFulfilled, max, interval, null, cancellationToken).AsTask();

    /// <summary>Repeats the assertion until it does not throw; throws what it threw last if that takes too long.</summary>
    /// <param name="duration">The time (dilated); <see cref="RemainingOrDefault"/> if it is not given.</param>
    /// <param name="interval">How long to wait between two attempts; up to 800 ms if it is not given.</param>
    public void AwaitAssert(
        Action assertion, TimeSpan? duration = null, TimeSpan? interval = null, CancellationToken cancellationToken = default) =>
        Completed(AwaitAssertCore(true, () => AtOnce(assertion), duration, interval, cancellationToken));

    /// <inheritdoc cref="AwaitAssert"/>
    public Task AwaitAssertAsync(
        Action assertion, TimeSpan? duration = null, TimeSpan? interval = null, CancellationToken cancellationToken = default) =>
        AwaitAssertCore(false, () => AtOnce(assertion), duration, interval, cancellationToken).AsTask();

    /// <inheritdoc cref="AwaitAssert"/>
    public Task AwaitAssertAsync(
        Func<Task> assertion, TimeSpan? duration = null, TimeSpan? interval = null, CancellationToken cancellationToken = default) =>
        AwaitAssertCore(false, assertion, duration, interval, cancellationToken).AsTask();

    protected static bool InternalAwaitCondition(
        Func<bool> conditionIsFulfilled, TimeSpan max, TimeSpan? interval, Action<string, object[]> fail,
        CancellationToken cancellationToken = default) =>
        Completed(AwaitCore(true, AtOnce(conditionIsFulfilled), max, interval, fail, cancellationToken));

    protected static Task<bool> InternalAwaitConditionAsync(
        Func<Task<bool>> conditionIsFulfilled, TimeSpan max, TimeSpan? interval, Action<string, object[]> fail,
        CancellationToken cancellationToken = default) =>
        AwaitCore(false, conditionIsFulfilled, max, interval, fail, cancellationToken).AsTask();

    private static async ValueTask<bool> AwaitCore(
        bool blocking, Func<Task<bool>> condition, TimeSpan max, TimeSpan? interval, Action<string, object[]> fail,
        CancellationToken cancellationToken)
    {
        max.EnsureIsPositiveFinite(nameof(max));
        var stop = Clock + max;
        var wait = interval ?? FirstWait;
        while (!await condition())
        {
            var left = stop - Clock;
            if (left <= TimeSpan.Zero)
            {
                fail?.Invoke("Timeout {0} expired while waiting for condition.", [max]);
                return false;
            }
            await Pause(blocking, wait.Min(left), cancellationToken);
            wait = interval ?? (wait * 2).Min(max / 10);
        }
        return true;
    }

    private async ValueTask<bool> AwaitAssertCore(
        bool blocking, Func<Task> assertion, TimeSpan? duration, TimeSpan? interval, CancellationToken cancellationToken)
    {
        var max = RemainingOrDilated(duration);
        var stop = Clock + max;
        var wait = interval == Timeout.InfiniteTimeSpan ? max : interval ?? FirstWait;
        wait.EnsureIsPositiveFinite(nameof(interval));
        while (true)
        {
            try
            {
                await assertion();
                return true;
            }
            catch (Exception) when (Clock < stop && !cancellationToken.IsCancellationRequested)
            {
                // The next attempt may go better.
            }
            await Pause(blocking, wait.Min(stop - Clock > TimeSpan.Zero ? stop - Clock : TimeSpan.Zero), cancellationToken);
            wait = interval is null ? (wait * 2).Min(AssertInterval) : wait;
        }
    }

    private static async ValueTask Pause(bool blocking, TimeSpan duration, CancellationToken cancellationToken)
    {
        if (!blocking)
            await Task.Delay(duration, cancellationToken);
        else if (cancellationToken.WaitHandle.WaitOne(duration))
            cancellationToken.ThrowIfCancellationRequested();
    }

    private Action<string, object[]> Failing(string message) => (format, args) =>
        _assertions.Fail(string.IsNullOrEmpty(message) ? format : format + " " + message.Replace("{", "{{").Replace("}", "}}"), args);

    // No interval, or an infinite one, means a single further attempt at the end.
    private static TimeSpan? Interval(TimeSpan? interval) => interval is { } given && !given.IsInfinite() ? given : TimeSpan.MaxValue;

    private static Func<Task<bool>> AtOnce(Func<bool> condition) => () => Task.FromResult(condition());

    private static Task AtOnce(Action assertion)
    {
        assertion();
        return Task.CompletedTask;
    }
}
