using System.Diagnostics;

namespace Akka.TestKit.Internal;

/// <summary>
/// What a test actor has received and the test has not yet looked at. Any thread puts in; the test takes out, blocking its own thread
/// (which needs no other thread to be free) or awaiting.
/// </summary>
internal sealed class MessageQueue
{
    private readonly LinkedList<MessageEnvelope> _messages = new();
    private TaskCompletionSource _arrival;

    public int Count
    {
        get
        {
            lock (_messages)
                return _messages.Count;
        }
    }

    public void Enqueue(MessageEnvelope envelope)
    {
        lock (_messages)
        {
            _messages.AddLast(envelope);
            Monitor.PulseAll(_messages);
            _arrival?.SetResult();
            _arrival = null;
        }
    }

    public List<MessageEnvelope> ToList()
    {
        lock (_messages)
            return [.. _messages];
    }

    /// <summary>The first message, or null if there is none in time.</summary>
    /// <param name="blocking">Whether to block the thread; the task has then completed when the call returns.</param>
    /// <param name="remove">Whether to take the message out.</param>
    /// <param name="timeout"><see cref="Timeout.InfiniteTimeSpan"/> waits for ever.</param>
    public ValueTask<MessageEnvelope> First(bool blocking, bool remove, TimeSpan timeout, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return blocking
            ? new ValueTask<MessageEnvelope>(FirstBlocking(remove, timeout, cancellationToken))
            : FirstAsync(remove, timeout, cancellationToken);
    }

    private MessageEnvelope FirstBlocking(bool remove, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var registration = cancellationToken.Register(() =>
        {
            lock (_messages)
                Monitor.PulseAll(_messages);
        });
        var start = Stopwatch.GetTimestamp();
        lock (_messages)
        {
            while (_messages.Count == 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var left = Left(timeout, start);
                if (left == TimeSpan.Zero)
                    return null;
                Monitor.Wait(_messages, left);
            }
            return Head(remove);
        }
    }

    private async ValueTask<MessageEnvelope> FirstAsync(bool remove, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            Task arrival;
            TimeSpan left;
            lock (_messages)
            {
                if (_messages.Count > 0)
                    return Head(remove);
                left = Left(timeout, start);
                if (left == TimeSpan.Zero)
                    return null;
                _arrival ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                arrival = _arrival.Task;
            }
            try
            {
                await arrival.WaitAsync(left, cancellationToken);
            }
            catch (TimeoutException)
            {
                // Only now is it certain that nothing came; the loop looks once more.
                timeout = TimeSpan.Zero;
            }
        }
    }

    private MessageEnvelope Head(bool remove)
    {
        var first = _messages.First.Value;
        if (remove)
            _messages.RemoveFirst();
        return first;
    }

    // Rounded up to what the clock can wait for, so that a wait never ends too early.
    private static TimeSpan Left(TimeSpan timeout, long start)
    {
        if (timeout == Timeout.InfiniteTimeSpan)
            return timeout;
        var left = timeout - Stopwatch.GetElapsedTime(start);
        return left <= TimeSpan.Zero ? TimeSpan.Zero : TimeSpan.FromMilliseconds(Math.Ceiling(left.TotalMilliseconds));
    }
}
