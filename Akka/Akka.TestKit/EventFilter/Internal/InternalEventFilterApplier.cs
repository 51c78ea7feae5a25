using System.Diagnostics;
using Akka.Actor;
using Akka.Event;
using Akka.TestKit.TestEvent;

namespace Akka.TestKit.Internal;

/// <summary>Applies filters to the log events of an actor system.</summary>
public class InternalEventFilterApplier(TestKitBase testkit, ActorSystem system, IReadOnlyList<EventFilterBase> filters) : IEventFilterApplier
{
    public EventFilterFactory And => new(testkit, system, filters);

    public void ExpectOne(Action action, CancellationToken cancellationToken = default) => Expect(1, action, cancellationToken);

    public void ExpectOne(TimeSpan timeout, Action action, CancellationToken cancellationToken = default) =>
        Expect(1, timeout, action, cancellationToken);

    public T ExpectOne<T>(Func<T> func, CancellationToken cancellationToken = default) => Expect(1, func, cancellationToken);

    public T ExpectOne<T>(TimeSpan timeout, Func<T> func, CancellationToken cancellationToken = default) =>
        Expect(1, timeout, func, cancellationToken);

    public Task ExpectOneAsync(Func<Task> actionAsync, CancellationToken cancellationToken = default) =>
        ExpectAsync(1, actionAsync, cancellationToken);

    public Task ExpectOneAsync(TimeSpan timeout, Func<Task> action, CancellationToken cancellationToken = default) =>
        ExpectAsync(1, timeout, action, cancellationToken);

    public Task<T> ExpectOneAsync<T>(Func<Task<T>> func, CancellationToken cancellationToken = default) =>
        ExpectAsync(1, func, cancellationToken);

    public Task<T> ExpectOneAsync<T>(TimeSpan timeout, Func<Task<T>> func, CancellationToken cancellationToken = default) =>
        ExpectAsync(1, timeout, func, cancellationToken);

    public void Expect(int expectedCount, Action action, CancellationToken cancellationToken = default) =>
        InterceptBlocking(Returning(action), null, expectedCount, cancellationToken);

    public void Expect(int expectedCount, TimeSpan timeout, Action action, CancellationToken cancellationToken = default) =>
        InterceptBlocking(Returning(action), timeout, expectedCount, cancellationToken);

    public T Expect<T>(int expectedCount, Func<T> func, CancellationToken cancellationToken = default) =>
        InterceptBlocking(func, null, expectedCount, cancellationToken);

    public T Expect<T>(int expectedCount, TimeSpan timeout, Func<T> func, CancellationToken cancellationToken = default) =>
        InterceptBlocking(func, timeout, expectedCount, cancellationToken);

    public Task ExpectAsync(int expectedCount, Func<Task> actionAsync, CancellationToken cancellationToken = default) =>
        ExpectAsync(expectedCount, actionAsync, null, cancellationToken);

    public Task ExpectAsync(int expectedCount, Func<Task> actionAsync, TimeSpan? timeout, CancellationToken cancellationToken = default) =>
        Intercept(false, Returning(actionAsync), timeout, expectedCount, cancellationToken).AsTask();

    public Task ExpectAsync(int expectedCount, TimeSpan timeout, Func<Task> action, CancellationToken cancellationToken = default) =>
        ExpectAsync(expectedCount, action, timeout, cancellationToken);

    public Task<T> ExpectAsync<T>(int expectedCount, Func<Task<T>> func, CancellationToken cancellationToken = default) =>
        Intercept(false, () => new ValueTask<T>(func()), null, expectedCount, cancellationToken).AsTask();

    public Task<T> ExpectAsync<T>(int expectedCount, TimeSpan timeout, Func<Task<T>> func, CancellationToken cancellationToken = default) =>
        Intercept(false, () => new ValueTask<T>(func()), timeout, expectedCount, cancellationToken).AsTask();

    public void Mute(Action action, CancellationToken cancellationToken = default) =>
        InterceptBlocking(Returning(action), null, null, cancellationToken);

    public T Mute<T>(Func<T> func, CancellationToken cancellationToken = default) => InterceptBlocking(func, null, null, cancellationToken);

    public Task MuteAsync(Func<Task> action, CancellationToken cancellationToken = default) =>
        Intercept(false, Returning(action), null, null, cancellationToken).AsTask();

    public Task<T> MuteAsync<T>(Func<Task<T>> func, CancellationToken cancellationToken = default) =>
        Intercept(false, () => new ValueTask<T>(func()), null, null, cancellationToken).AsTask();

    public IUnmutableFilter Mute()
    {
        system.EventStream.Publish(new Mute(filters));
        return new InternalUnmutableFilter(filters, system);
    }

    private T InterceptBlocking<T>(Func<T> func, TimeSpan? timeout, int? expected, CancellationToken cancellationToken) =>
        Intercept(true, () => new ValueTask<T>(func()), timeout, expected, cancellationToken).GetAwaiter().GetResult();

    // Expecting null does not count.
    private async ValueTask<T> Intercept<T>(
        bool blocking, Func<ValueTask<T>> func, TimeSpan? timeout, int? expected, CancellationToken cancellationToken)
    {
        var leeway = system.HasExtension<TestKitSettings>() ? TestKitExtension.For(system) : testkit.TestKitSettings;
        var limit = timeout is { } given ? testkit.Dilated(given) : leeway.TestEventFilterLeeway;
        var handler = new MatchedEventHandler();
        foreach (var filter in filters)
            filter.EventMatched += handler.HandleEvent;
        system.EventStream.Publish(new Mute(filters));
        try
        {
            var result = await func();
            if (expected is { } count)
            {
                // More than expected fails at once; none expected means waiting for one.
                await handler.Reached(blocking, Math.Max(count, 1), limit, cancellationToken);
                if (handler.ReceivedCount != count)
                    Fail(count, handler.ReceivedCount, limit);
            }
            return result;
        }
        finally
        {
            foreach (var filter in filters)
                filter.EventMatched -= handler.HandleEvent;
            system.EventStream.Publish(new Unmute(filters));
        }
    }

    private void Fail(int expected, int received, TimeSpan limit)
    {
        var what = string.Join(", ", filters);
        var provider = system.HasExtension<TestKitAssertionsProvider>() ? system : testkit.Sys;
        var assertions = TestKitAssertionsExtension.For(provider).Assertions;
        if (received < expected)
            assertions.Fail(
                "Timeout ({0}) while waiting for messages. Only received {1}/{2} messages that matched filter [{3}]", limit, received, expected, what);
        else
            assertions.Fail(
                "Received {0} {1} too many. Expected {2} {3} but received {4} that matched filter [{5}]",
                received - expected, GetMessageString(received - expected), expected, GetMessageString(expected), received, what);
    }

    protected static string GetMessageString(int number) => number == 1 ? "message" : "messages";

    private static Func<object> Returning(Action action) => () =>
    {
        action();
        return null;
    };

    private static Func<ValueTask<object>> Returning(Func<Task> action) => async () =>
    {
        await action();
        return null;
    };

    /// <summary>Counts the events that are caught.</summary>
    protected class MatchedEventHandler
    {
        private readonly object _lock = new();
        private TaskCompletionSource _change = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _count;

        public int ReceivedCount => Volatile.Read(ref _count);

        public virtual void HandleEvent(EventFilterBase eventFilter, LogEvent logEvent)
        {
            lock (_lock)
            {
                _count++;
                Monitor.PulseAll(_lock);
                _change.SetResult();
                _change = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        internal async ValueTask Reached(bool blocking, int count, TimeSpan limit, CancellationToken cancellationToken)
        {
            var start = Stopwatch.GetTimestamp();
            while (true)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Task change;
                var left = limit - Stopwatch.GetElapsedTime(start);
                lock (_lock)
                {
                    if (_count >= count || left <= TimeSpan.Zero)
                        return;
                    left = TimeSpan.FromMilliseconds(Math.Ceiling(left.TotalMilliseconds));
                    if (blocking)
                    {
                        Monitor.Wait(_lock, left);
                        continue;
                    }
                    change = _change.Task;
                }
                await Task.WhenAny(change, Task.Delay(left, cancellationToken));
            }
        }
    }

    protected class InternalUnmutableFilter(IReadOnlyCollection<EventFilterBase> filters, ActorSystem system) : IUnmutableFilter
    {
        private int _unmuted;

        public void Unmute()
        {
            if (Interlocked.Exchange(ref _unmuted, 1) == 0)
                system.EventStream.Publish(new Unmute(filters));
        }

        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        protected virtual void Dispose(bool disposing)
        {
            if (disposing)
                Unmute();
        }
    }
}
