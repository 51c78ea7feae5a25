namespace Tapwire.Stack.Tcp.Connection;

/// <summary>How often the IP layer is told that the peer is there: once in a second with progress.</summary>
internal struct Reachability()
{
    private uint _second = uint.MaxValue;

    /// <returns>True if the layer is to be told now.</returns>
    public bool IsNews(Instant now)
    {
        var second = (uint)(now.Milliseconds / 1000);
        var isNews = second != _second;
        _second = second;
        return isNews;
    }
}
