namespace Tapwire.Names;

/// <summary>What a resolver has done so far.</summary>
public sealed class ResolverCounters
{
    /// <summary>Messages to servers.</summary>
    public long Sent { get; internal set; }

    /// <summary>Answers of servers that were used.</summary>
    public long Answered { get; internal set; }

    /// <summary>Questions that the cache has answered.</summary>
    public long FromCache { get; internal set; }

    /// <summary>Servers that have not answered in time.</summary>
    public long TimedOut { get; internal set; }

    /// <summary>Messages that do not keep to the format.</summary>
    public long Malformed { get; internal set; }

    /// <summary>Messages that were no response, or came from elsewhere than the server.</summary>
    public long NoResponses { get; internal set; }

    /// <summary>Responses whose id is that of no question: somebody may be guessing (RFC 5452, 9.1).</summary>
    public long WrongIds { get; internal set; }

    /// <summary>Responses to another question than the one that had been asked.</summary>
    public long WrongQuestions { get; internal set; }

    /// <summary>All messages that were malformed, or not the answer to what had been asked: forged ones are among them (RFC 5452).</summary>
    public long Strangers => Malformed + NoResponses + WrongIds + WrongQuestions;

    /// <summary>Answers that had not kept the case of letters.</summary>
    public long CasesLost { get; internal set; }

    /// <summary>Answers that the server cannot say: SERVFAIL, REFUSED and the like.</summary>
    public long ServerFailures { get; internal set; }

    /// <summary>Answers without what had been asked for: loops of aliases, servers that do not look things up for others.</summary>
    public long Useless { get; internal set; }

    /// <summary>Look-ups and questions beyond the limits.</summary>
    public long Busy { get; internal set; }
}
