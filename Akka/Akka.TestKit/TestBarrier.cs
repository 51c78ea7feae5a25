namespace Akka.TestKit;

/// <summary>Holds threads until the given number of them has arrived.</summary>
public class TestBarrier(TestKitBase testKit, int count, TimeSpan? defaultTimeout = null)
{
    private readonly Barrier _barrier = new(count);

    public void Await() => Await(defaultTimeout ?? testKit.TestKitSettings.DefaultTimeout);

    /// <exception cref="TimeoutException">The others did not come in time.</exception>
    public void Await(TimeSpan timeout)
    {
        var dilated = testKit.Dilated(timeout);
        if (!_barrier.SignalAndWait(dilated))
            throw new TimeoutException($"Timeout of {dilated}, i.e. {timeout} and time factor of {testKit.TestKitSettings.TestTimeFactor}");
    }

    /// <summary>Begins anew, as if nobody had arrived.</summary>
    public void Reset()
    {
        _barrier.RemoveParticipants(count);
        _barrier.AddParticipants(count);
    }
}
