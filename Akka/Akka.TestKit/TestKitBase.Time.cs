using Akka.TestKit.Internal;

namespace Akka.TestKit;

public abstract partial class TestKitBase
{
    /// <summary>What is left of the innermost <c>Within</c>.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public TimeSpan Remaining =>
        _end is { } end ? end - Clock : throw new InvalidOperationException("Remaining may not be called outside of \"within\"");

    /// <summary>What is left of the innermost <c>Within</c>, or outside of one <c>single-expect-default</c>, dilated.</summary>
    public TimeSpan RemainingOrDefault => RemainingOr(Dilated(TestKitSettings.SingleExpectDefault));

    protected TimeSpan RemainingOr(TimeSpan duration) => _end is { } end ? end - Clock : duration;

    /// <summary>The duration, dilated; if it is not given, <see cref="RemainingOrDefault"/>.</summary>
    /// <exception cref="ArgumentException">The duration is infinite.</exception>
    public TimeSpan RemainingOrDilated(TimeSpan? duration)
    {
        if (duration is not { } given)
            return RemainingOrDefault;
        if (given.IsInfinite())
            throw new ArgumentException("max duration cannot be infinite", nameof(duration));
        return Dilated(given);
    }

    /// <summary>The duration times the <c>timefactor</c>.</summary>
    public TimeSpan Dilated(TimeSpan duration) => duration.IsPositiveFinite() ? duration * TestKitSettings.TestTimeFactor : duration;

    /// <summary>The time-out, or <c>single-expect-default</c> if it is not given.</summary>
    public TimeSpan GetTimeoutOrDefault(TimeSpan? timeout) => timeout ?? TestKitSettings.SingleExpectDefault;

    /// <summary>Runs the code and fails if that takes longer than the maximum (dilated). Expectations inside wait no longer than what is left.</summary>
    /// <param name="epsilonValue">How much longer than the maximum is accepted.</param>
    public void Within(TimeSpan max, Action action, TimeSpan? epsilonValue = null, CancellationToken cancellationToken = default) =>
        Within(TimeSpan.Zero, max, action, null, epsilonValue, cancellationToken);

    /// <inheritdoc cref="Within(TimeSpan, Action, TimeSpan?, CancellationToken)"/>
    /// <param name="min">It fails if it takes less than that, too.</param>
    public void Within(
        TimeSpan min, TimeSpan max, Action action, string hint = null, TimeSpan? epsilonValue = null, CancellationToken cancellationToken = default) =>
        Within(min, max, () => Returning(action), hint, epsilonValue, cancellationToken);

    /// <inheritdoc cref="Within(TimeSpan, Action, TimeSpan?, CancellationToken)"/>
    public T Within<T>(TimeSpan max, Func<T> function, TimeSpan? epsilonValue = null, CancellationToken cancellationToken = default) =>
        Within(TimeSpan.Zero, max, function, null, epsilonValue, cancellationToken);

    /// <inheritdoc cref="Within(TimeSpan, TimeSpan, Action, string, TimeSpan?, CancellationToken)"/>
    public T Within<T>(
        TimeSpan min, TimeSpan max, Func<T> function, string hint = null, TimeSpan? epsilonValue = null, CancellationToken cancellationToken = default) =>
        Completed(WithinCore(min, max, () => new ValueTask<T>(function()), hint, epsilonValue, cancellationToken));

    /// <inheritdoc cref="Within(TimeSpan, Action, TimeSpan?, CancellationToken)"/>
    public Task WithinAsync(TimeSpan max, Func<Task> actionAsync, TimeSpan? epsilonValue = null, CancellationToken cancellationToken = default) =>
        WithinAsync(TimeSpan.Zero, max, actionAsync, null, epsilonValue, cancellationToken);

    /// <inheritdoc cref="Within(TimeSpan, TimeSpan, Action, string, TimeSpan?, CancellationToken)"/>
    public Task WithinAsync(
        TimeSpan min, TimeSpan max, Func<Task> actionAsync, string hint = null, TimeSpan? epsilonValue = null,
        CancellationToken cancellationToken = default) =>
        WithinAsync(min, max, () => Returning(actionAsync), hint, epsilonValue, cancellationToken);

    /// <inheritdoc cref="Within(TimeSpan, Action, TimeSpan?, CancellationToken)"/>
    public Task<T> WithinAsync<T>(
        TimeSpan max, Func<Task<T>> function, TimeSpan? epsilonValue = null, CancellationToken cancellationToken = default) =>
        WithinAsync(TimeSpan.Zero, max, function, null, epsilonValue, cancellationToken);

    /// <inheritdoc cref="Within(TimeSpan, TimeSpan, Action, string, TimeSpan?, CancellationToken)"/>
    public Task<T> WithinAsync<T>(
        TimeSpan min, TimeSpan max, Func<Task<T>> function, string hint = null, TimeSpan? epsilonValue = null,
        CancellationToken cancellationToken = default) =>
        WithinCore(min, max, () => new ValueTask<T>(function()), hint, epsilonValue, cancellationToken).AsTask();

    private async ValueTask<T> WithinCore<T>(
        TimeSpan min, TimeSpan max, Func<ValueTask<T>> function, string hint, TimeSpan? epsilonValue, CancellationToken cancellationToken)
    {
        min.EnsureIsPositiveFinite(nameof(min));
        max.EnsureIsPositiveFinite(nameof(max));
        cancellationToken.ThrowIfCancellationRequested();
        var start = Clock;
        var outerEnd = _end;
        var left = outerEnd is { } end ? end - start : Timeout.InfiniteTimeSpan;
        _assertions.AssertTrue(outerEnd is null || left >= min, "Required min time {0} not possible, only {1} left. {2}", min, left, hint ?? "");

        _lastWasNoMsg = false;
        var limit = outerEnd is null || Dilated(max) < left ? Dilated(max) : left;
        _end = start + limit;
        T result;
        try
        {
            result = await function();
        }
        finally
        {
            _end = outerEnd;
        }

        var elapsed = Clock - start;
        if (elapsed < min)
            _assertions.Fail("Failed: Block took {0}, should have at least been {1}. {2}", elapsed, min, hint ?? "");
        if (!_lastWasNoMsg && elapsed > limit + (epsilonValue ?? TimeSpan.Zero))
            _assertions.Fail("Failed: Block took {0}, exceeding {1}. {2}", elapsed, limit, hint ?? "");
        return result;
    }

    private static object Returning(Action action)
    {
        action();
        return null;
    }

    private static async Task<object> Returning(Func<Task> action)
    {
        await action();
        return null;
    }

    // The result of a task that did everything on this thread.
    private static T Completed<T>(ValueTask<T> task) => task.GetAwaiter().GetResult();
}
