namespace Akka.TestKit;

/// <summary>Is closed until it has been counted down; whoever waits for it too long gets a <see cref="TimeoutException"/>.</summary>
public class TestLatch
{
    private readonly CountdownEvent _latch;
    private readonly Func<TimeSpan, TimeSpan> _dilate = timeout => timeout;
    private readonly TimeSpan _defaultTimeout;

    public TestLatch()
        : this(1)
    {
    }

    public TestLatch(int count)
        : this(count, TimeSpan.FromSeconds(5))
    {
    }

    public TestLatch(int count, TimeSpan defaultTimeout)
    {
        _latch = new CountdownEvent(count);
        _defaultTimeout = defaultTimeout;
    }

    /// <param name="dilate">Applied to every time-out.</param>
    protected internal TestLatch(Func<TimeSpan, TimeSpan> dilate, TimeSpan defaultTimeout, int count)
        : this(count, defaultTimeout) => _dilate = dilate;

    public bool IsOpen => _latch.IsSet;

    public void CountDown() => _latch.Signal();

    public void Open()
    {
        while (!IsOpen)
            CountDown();
    }

    /// <summary>Closes the latch with its first count.</summary>
    public void Reset() => _latch.Reset();

    /// <exception cref="TimeoutException">The latch did not open in time.</exception>
    public void Ready(TimeSpan timeout)
    {
        if (timeout == TimeSpan.MaxValue)
            throw new ArgumentException($"TestLatch does not support waiting for {timeout}", nameof(timeout));
        timeout = _dilate(timeout);
        if (!_latch.Wait(timeout))
            throw new TimeoutException($"Timeout of {timeout}");
    }

    /// <inheritdoc cref="Ready(TimeSpan)"/>
    public void Ready() => Ready(_defaultTimeout);
}
