namespace Tapwire.Bench.Scale;

/// <summary>Two ends and a number of connections between them, whatever they are made of.</summary>
internal interface IScaleRun : IDisposable
{
    string Name { get; }

    /// <summary>Objects from which all that the connections hold can be reached.</summary>
    object[] Roots { get; }

    int Connected { get; }

    /// <summary>Opens connections until there are so many.</summary>
    void Connect(int connections, LatencyLog perConnection);

    /// <summary>One byte there and back, on one of the given connections after the other.</summary>
    void RoundTrips(ReadOnlySpan<int> connections, int count, LatencyLog latency);

    /// <summary>Lets a time pass in which nothing is sent.</summary>
    /// <returns>How often an engine was woken; null: it cannot be told.</returns>
    int? Idle(TimeSpan time);

    /// <summary>Closes all connections in order.</summary>
    void CloseAll(LatencyLog perConnection);
}
