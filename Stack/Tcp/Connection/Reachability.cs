namespace Tapwire.Stack.Tcp.Connection;

/// <summary>How often the IP layer is told that the peer is there: once in a second with progress.</summary>
internal static class Reachability
{
    /// <param name="toldIn">The second in which it was last told; any number before the first time. (A structure of its own would cost each connection eight bytes.)</param>
    /// <returns>True if it is to be told now.</returns>
    public static bool IsNews(ref uint toldIn, Instant now)
    {
        var second = (uint)(now.Milliseconds / 1000);
        var isNews = second != toldIn;
        toldIn = second;
        return isNews;
    }
}
