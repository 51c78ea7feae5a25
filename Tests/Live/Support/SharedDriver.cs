using System.Net.Sockets;

namespace Tapwire.Tests.Live.Support;

/// <summary>One driver for the specs of a class that leave it as they have found it. Started by the first of them, so that each can be skipped with its reason.</summary>
public class SharedDriver : IDisposable
{
    private readonly AddressFamily _family;
    private LiveDriver? _driver;

    public SharedDriver()
        : this(AddressFamily.InterNetwork)
    {
    }

    protected SharedDriver(AddressFamily family) => _family = family;

    internal LiveDriver Driver => _driver ??= LiveDriver.StartOver(_family);

    /// <summary>Stops the driver: a complaint in its log, or another end than a good one, fails the class.</summary>
    public void Dispose()
    {
        GC.SuppressFinalize(this);
        if (_driver is null)
            return;
        using (_driver)
            _driver.StopCleanly();
    }
}

/// <summary>The same for specs that use IPv6 addresses.</summary>
public sealed class SharedDriverV6() : SharedDriver(AddressFamily.InterNetworkV6);
