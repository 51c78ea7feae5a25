namespace Tapwire.Names;

/// <summary>What a resolver has done so far.</summary>
public sealed class ResolverCounters
{
    /// <summary>Messages to servers.</summary>
    public long Sent { get; internal set; }

    /// <summary>Questions that the cache has answered.</summary>
    public long FromCache { get; internal set; }

    /// <summary>Servers that have not answered in time.</summary>
    public long TimedOut { get; internal set; }

    /// <summary>Messages that were malformed, or not the answer to what had been asked: forged ones are among them (RFC 5452).</summary>
    public long Strangers { get; internal set; }

    /// <summary>Answers that had not kept the case of letters.</summary>
    public long CasesLost { get; internal set; }

    /// <summary>Look-ups and questions beyond the limits.</summary>
    public long Refused { get; internal set; }
}
