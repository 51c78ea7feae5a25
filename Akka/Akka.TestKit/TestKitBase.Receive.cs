using System.Runtime.CompilerServices;
using Akka.TestKit.Internal;

namespace Akka.TestKit;

public abstract partial class TestKitBase
{
    /// <summary>The next message; null if none comes in time.</summary>
    /// <param name="max">The time, not dilated; <c>single-expect-default</c> if it is not given, and for ever if it is infinite.</param>
    public object ReceiveOne(TimeSpan? max = null, CancellationToken cancellationToken = default) =>
        MessageOf(Completed(Next(true, true, max, cancellationToken)));

    /// <inheritdoc cref="ReceiveOne"/>
    public async ValueTask<object> ReceiveOneAsync(TimeSpan? max = null, CancellationToken cancellationToken = default) =>
        MessageOf(await Next(false, true, max, cancellationToken));

    /// <summary>The next message with its sender; says whether one came in time.</summary>
    /// <inheritdoc cref="ReceiveOne"/>
    public bool TryReceiveOne(out MessageEnvelope envelope, TimeSpan? max = null, CancellationToken cancellationToken = default)
    {
        envelope = Completed(Next(true, true, max, cancellationToken));
        return envelope is not NullMessageEnvelope;
    }

    /// <inheritdoc cref="TryReceiveOne"/>
    public async ValueTask<(bool success, MessageEnvelope envelope)> TryReceiveOneAsync(
        TimeSpan? max, CancellationToken cancellationToken = default)
    {
        var envelope = await Next(false, true, max, cancellationToken);
        return (envelope is not NullMessageEnvelope, envelope);
    }

    /// <summary>The next message, which stays the next one; null if none comes in time.</summary>
    /// <inheritdoc cref="ReceiveOne"/>
    public object PeekOne(TimeSpan? max = null, CancellationToken cancellationToken = default) =>
        MessageOf(Completed(Next(true, false, max, cancellationToken)));

    /// <inheritdoc cref="PeekOne(TimeSpan?, CancellationToken)"/>
    public object PeekOne(CancellationToken cancellationToken) => PeekOne(Timeout.InfiniteTimeSpan, cancellationToken);

    /// <inheritdoc cref="PeekOne(TimeSpan?, CancellationToken)"/>
    public async ValueTask<object> PeekOneAsync(TimeSpan? max = null, CancellationToken cancellationToken = default) =>
        MessageOf(await Next(false, false, max, cancellationToken));

    /// <inheritdoc cref="PeekOne(TimeSpan?, CancellationToken)"/>
    public ValueTask<object> PeekOneAsync(CancellationToken cancellationToken) => PeekOneAsync(Timeout.InfiniteTimeSpan, cancellationToken);

    /// <inheritdoc cref="PeekOne(TimeSpan?, CancellationToken)"/>
    public bool TryPeekOne(out MessageEnvelope envelope, TimeSpan? max, CancellationToken cancellationToken)
    {
        envelope = Completed(Next(true, false, max, cancellationToken));
        return envelope is not NullMessageEnvelope;
    }

    /// <inheritdoc cref="PeekOne(TimeSpan?, CancellationToken)"/>
    public async ValueTask<(bool success, MessageEnvelope envelope)> TryPeekOneAsync(TimeSpan? max, CancellationToken cancellationToken)
    {
        var envelope = await Next(false, false, max, cancellationToken);
        return (envelope is not NullMessageEnvelope, envelope);
    }

    /// <summary>The next messages, so many; fails if they do not come in <see cref="RemainingOrDefault"/>.</summary>
    public IReadOnlyCollection<object> ReceiveN(int numberOfMessages, CancellationToken cancellationToken = default) =>
        Collected(ReceiveNCore(true, numberOfMessages, RemainingOrDefault, cancellationToken));

    /// <inheritdoc cref="ReceiveN(int, CancellationToken)"/>
    /// <param name="max">The time (dilated).</param>
    public IReadOnlyCollection<object> ReceiveN(int numberOfMessages, TimeSpan max, CancellationToken cancellationToken = default) =>
        Collected(ReceiveNCore(true, numberOfMessages, Finite(max), cancellationToken));

    /// <inheritdoc cref="ReceiveN(int, CancellationToken)"/>
    public IAsyncEnumerable<object> ReceiveNAsync(int numberOfMessages, CancellationToken cancellationToken = default) =>
        ReceiveNCore(false, numberOfMessages, RemainingOrDefault, cancellationToken);

    /// <inheritdoc cref="ReceiveN(int, TimeSpan, CancellationToken)"/>
    public IAsyncEnumerable<object> ReceiveNAsync(int numberOfMessages, TimeSpan max, CancellationToken cancellationToken = default) =>
        ReceiveNCore(false, numberOfMessages, Finite(max), cancellationToken);

    /// <inheritdoc cref="ReceiveWhile{T}(Func{object, T}, TimeSpan?, TimeSpan?, int, CancellationToken)"/>
    public IReadOnlyList<T> ReceiveWhile<T>(
        TimeSpan? max, Func<object, T> filter, int msgs = int.MaxValue, CancellationToken cancellationToken = default) =>
        ReceiveWhile(filter, max, Timeout.InfiniteTimeSpan, msgs, cancellationToken);

    /// <inheritdoc cref="ReceiveWhile{T}(Func{object, T}, TimeSpan?, TimeSpan?, int, CancellationToken)"/>
    public IReadOnlyList<T> ReceiveWhile<T>(
        TimeSpan? max, TimeSpan? idle, Func<object, T> filter, int msgs = int.MaxValue, CancellationToken cancellationToken = default) =>
        ReceiveWhile(filter, max, idle, msgs, cancellationToken);

    /// <summary>
    /// What the filter makes of the next messages, until it answers null, or the time is over, or so many have come. The message that ends
    /// it stays the next one.
    /// </summary>
    /// <param name="max">The time (dilated); <see cref="RemainingOrDefault"/> if it is not given.</param>
    /// <param name="idle">How long to wait for a single message; null or infinite for no such limit.</param>
    public IReadOnlyList<T> ReceiveWhile<T>(
        Func<object, T> filter, TimeSpan? max = null, TimeSpan? idle = null, int msgs = int.MaxValue,
        CancellationToken cancellationToken = default) =>
        Collected(ReceiveWhileCore(true, Filtering(filter), max, idle, msgs, cancellationToken));

    /// <summary>The next messages, as long as the predicate holds; else as the other overloads.</summary>
    /// <param name="shouldIgnoreOtherMessageTypes">Whether messages that are no <typeparamref name="T"/> are skipped; otherwise such a one ends it.</param>
    public IReadOnlyList<T> ReceiveWhile<T>(
        Predicate<T> shouldContinue, TimeSpan? max = null, TimeSpan? idle = null, int msgs = int.MaxValue,
        bool shouldIgnoreOtherMessageTypes = true, CancellationToken cancellationToken = default) =>
        Collected(ReceiveWhileCore(true, Matching(shouldContinue, shouldIgnoreOtherMessageTypes), max, idle, msgs, cancellationToken));

    /// <inheritdoc cref="ReceiveWhile{T}(Func{object, T}, TimeSpan?, TimeSpan?, int, CancellationToken)"/>
    public IAsyncEnumerable<T> ReceiveWhileAsync<T>(
        TimeSpan? max, Func<object, T> filter, int msgs = int.MaxValue, CancellationToken cancellationToken = default) =>
        ReceiveWhileAsync(filter, max, Timeout.InfiniteTimeSpan, msgs, cancellationToken);

    /// <inheritdoc cref="ReceiveWhile{T}(Func{object, T}, TimeSpan?, TimeSpan?, int, CancellationToken)"/>
    public IAsyncEnumerable<T> ReceiveWhileAsync<T>(
        TimeSpan? max, TimeSpan? idle, Func<object, T> filter, int msgs = int.MaxValue, CancellationToken cancellationToken = default) =>
        ReceiveWhileAsync(filter, max, idle, msgs, cancellationToken);

    /// <inheritdoc cref="ReceiveWhile{T}(Func{object, T}, TimeSpan?, TimeSpan?, int, CancellationToken)"/>
    public IAsyncEnumerable<T> ReceiveWhileAsync<T>(
        Func<object, T> filter, TimeSpan? max = null, TimeSpan? idle = null, int msgs = int.MaxValue,
        CancellationToken cancellationToken = default) =>
        ReceiveWhileCore(false, Filtering(filter), max, idle, msgs, cancellationToken);

    /// <inheritdoc cref="ReceiveWhile{T}(Predicate{T}, TimeSpan?, TimeSpan?, int, bool, CancellationToken)"/>
    public IAsyncEnumerable<T> ReceiveWhileAsync<T>(
        Predicate<T> shouldContinue, TimeSpan? max = null, TimeSpan? idle = null, int msgs = int.MaxValue,
        bool shouldIgnoreOtherMessageTypes = true, CancellationToken cancellationToken = default) =>
        ReceiveWhileCore(false, Matching(shouldContinue, shouldIgnoreOtherMessageTypes), max, idle, msgs, cancellationToken);

    // The next message, or NullMessageEnvelope. A blocking call has completed when it returns.
    private async ValueTask<MessageEnvelope> Next(bool blocking, bool remove, TimeSpan? max, CancellationToken cancellationToken)
    {
        var timeout = GetTimeoutOrDefault(max);
        ConditionalLog("Waiting for a message at most {0}", timeout);
        // Any other negative time is over already.
        var over = timeout < TimeSpan.Zero && timeout != Timeout.InfiniteTimeSpan;
        _lastMessage = (over ? null : await _queue.First(blocking, remove, timeout, cancellationToken)) ?? NullMessageEnvelope.Instance;
        _lastWasNoMsg = false;
        ConditionalLog("Received {0}", _lastMessage);
        return _lastMessage;
    }

    private static object MessageOf(MessageEnvelope envelope) => envelope is NullMessageEnvelope ? null : envelope.Message;

    private TimeSpan Finite(TimeSpan max)
    {
        max.EnsureIsPositiveFinite(nameof(max));
        return Dilated(max);
    }

    private async IAsyncEnumerable<object> ReceiveNCore(
        bool blocking, int count, TimeSpan max, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var stop = Clock + max;
        for (var received = 0; received < count; received++)
        {
            var left = stop - Clock;
            var envelope = await Next(blocking, true, left > TimeSpan.Zero ? left : TimeSpan.Zero, cancellationToken);
            _assertions.AssertTrue(
                envelope is not NullMessageEnvelope, "Timeout ({0}) while expecting {1} messages. Only got {2} after {3}.",
                max, count, received, max - (stop - Clock));
            yield return envelope.Message;
        }
    }

    private async IAsyncEnumerable<T> ReceiveWhileCore<T>(
        bool blocking, Func<object, (Verdict Verdict, T Result)> judge, TimeSpan? max, TimeSpan? idle, int count,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var stop = Clock + RemainingOrDilated(max);
        MessageEnvelope last = NullMessageEnvelope.Instance;
        while (count > 0)
        {
            var left = stop - Clock;
            var envelope = await Next(blocking, false, (left > TimeSpan.Zero ? left : TimeSpan.Zero).Min(idle), cancellationToken);
            if (envelope is NullMessageEnvelope)
                break;
            var (verdict, result) = judge(envelope.Message);
            if (verdict == Verdict.Stop)
                break;
            await _queue.First(blocking, true, TimeSpan.Zero, cancellationToken);
            last = envelope;
            if (verdict == Verdict.Skip)
                continue;
            count--;
            yield return result;
        }
        _lastMessage = last;
        _lastWasNoMsg = true;
    }

    private static Func<object, (Verdict, T)> Filtering<T>(Func<object, T> filter) => message =>
        filter(message) is { } result ? (Verdict.Take, result) : (Verdict.Stop, default);

    private static Func<object, (Verdict, T)> Matching<T>(Predicate<T> shouldContinue, bool skipOthers) => message =>
        message is T wanted
            ? (shouldContinue(wanted) ? Verdict.Take : Verdict.Stop, wanted)
            : (skipOthers ? Verdict.Skip : Verdict.Stop, default);

    // The items of a sequence that does everything on this thread.
    private static List<T> Collected<T>(IAsyncEnumerable<T> items)
    {
        var collected = new List<T>();
        var enumerator = items.GetAsyncEnumerator();
        try
        {
            while (Completed(enumerator.MoveNextAsync()))
                collected.Add(enumerator.Current);
        }
        finally
        {
            enumerator.DisposeAsync().GetAwaiter().GetResult();
        }
        return collected;
    }

    private enum Verdict
    {
        Take,
        Skip,
        Stop,
    }
}
