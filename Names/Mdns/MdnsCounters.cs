namespace Tapwire.Names.Mdns;

/// <summary>What a driver has done by multicast DNS so far, on all links.</summary>
public sealed class MdnsCounters
{
    /// <summary>Messages sent: questions, probes, announcements and answers.</summary>
    public long Sent { get; internal set; }

    /// <summary>Messages that came, those that were not used included.</summary>
    public long Received { get; internal set; }

    /// <summary>Questions that were asked of a link for those who look names up.</summary>
    public long Asked { get; internal set; }

    /// <summary>Of these, those that the link has answered, and those that what was heard before has answered.</summary>
    public long Answered { get; internal set; }

    /// <inheritdoc cref="Answered"/>
    public long FromCache { get; internal set; }

    /// <summary>Questions for what is known and used, before it expires.</summary>
    public long Refreshed { get; internal set; }

    /// <summary>Questions that nobody has answered in time.</summary>
    public long TimedOut { get; internal set; }

    /// <summary>Times that another host had the name that this one wanted or had.</summary>
    public long Conflicts { get; internal set; }

    /// <summary>Messages that do not keep to the format, or are longer than one may be.</summary>
    public long Malformed { get; internal set; }

    /// <summary>Messages with another opcode or a response code, responses from another port than 5353.</summary>
    public long Foreign { get; internal set; }

    /// <summary>Messages to this host alone that no host of the link has sent (RFC 6762, 11).</summary>
    public long OffLink { get; internal set; }

    /// <summary>Answers, and questions, that would have been more than a second has room for.</summary>
    public long RateLimited { get; internal set; }

    /// <summary>Questions beyond the limits, and records for which there was no room in the cache.</summary>
    public long Full { get; internal set; }

    /// <summary>Messages that the stack has not taken.</summary>
    public long NotSent { get; set; }
}
