using System.Diagnostics.CodeAnalysis;

namespace Tapwire.Stack.Dhcp;

/// <summary>
/// What a DHCP client of either family is to its owner: messages and the time go in, <see cref="DhcpEvent"/>s come out. After every call events are to be dequeued, and <see cref="Poll"/> is to be called
/// at <see cref="PollAt"/>.
/// </summary>
public interface IDhcpClient
{
    DhcpCounters Counters { get; }

    /// <summary>The interface has a lease.</summary>
    bool HasLease { get; }

    /// <summary>When the lease ends unless it gets more time; never without a lease, and without an end.</summary>
    Instant Expires { get; }

    /// <summary>When its server is asked for more time.</summary>
    Instant Renews { get; }

    /// <summary>When <see cref="Poll"/> has something to do.</summary>
    Instant PollAt { get; }

    void Poll(Instant now);

    /// <summary>The wire has gone. Nothing is sent until it is back; the lease goes on.</summary>
    void WireDown();

    /// <summary>The wire is back, perhaps on another network: the servers are asked whether the address holds there.</summary>
    void WireUp(Instant now);

    /// <summary>Ends the client. The lease goes on until its time is over, unless it is released.</summary>
    void Stop(bool release, Instant now);

    bool TryDequeue([NotNullWhen(true)] out DhcpEvent? next);
}
