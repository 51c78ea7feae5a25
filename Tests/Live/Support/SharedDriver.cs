namespace Tapwire.Tests.Live.Support;

/// <summary>One driver for the specs of a class that leave it as they have found it. Started by the first of them, so that each can be skipped with its reason.</summary>
public sealed class SharedDriver : IDisposable
{
    private LiveDriver? _driver;

    internal LiveDriver Driver => _driver ??= LiveDriver.Start();

    /// <summary>Stops the driver: a complaint in its log, or another end than a good one, fails the class.</summary>
    public void Dispose()
    {
        if (_driver is null)
            return;
        using (_driver)
            _driver.StopCleanly();
    }
}
