using Tapwire.Stack;

namespace Tapwire.Names;

/// <summary>One question that servers are being asked, for all look-ups that wait for its answer.</summary>
internal sealed class Question(DnsName name, DnsType type)
{
    public DnsName Name { get; } = name;

    public DnsType Type => type;

    public List<Lookup> Waiting { get; } = [];

    /// <summary>The name that is being asked for: an alias may have led to it.</summary>
    public DnsName Current { get; set; } = name;

    public int Aliases { get; set; }

    /// <summary>How long what the aliases say may be kept.</summary>
    public TimeSpan Lifetime { get; set; } = TimeSpan.MaxValue;

    public List<NameServer> Order { get; set; } = [];

    /// <summary>Which time it is that a server is asked, counted from 0.</summary>
    public int Step { get; set; }

    /// <summary>Those that have answered that they cannot say; they are not asked again.</summary>
    public HashSet<NameServer> Unable { get; } = [];

    /// <summary>Oldest first. A server that has been slow may still answer while the next is asked.</summary>
    public List<Exchange> Open { get; } = [];

    /// <summary>The exchange whose end is the next step's begin.</summary>
    public Exchange? Latest { get; set; }

    public Instant Deadline { get; set; } = Instant.Never;

    /// <summary>The links are being asked by this number, and no server; 0: they are not.</summary>
    public long OfLinks { get; set; }
}

/// <summary>One message to a server, and its answer.</summary>
internal sealed class Exchange(long number, Question question, NameServer server, DnsTransport transport, byte[] query)
{
    public long Number => number;

    public Question Question => question;

    public NameServer Server => server;

    public DnsTransport Transport => transport;

    public byte[] Query => query;

    public required bool HasOptions { get; init; }

    /// <summary>The case of its letters has been chosen at random.</summary>
    public required bool HasCases { get; init; }

    /// <summary>By TCP, because an answer by UDP had not kept the case of letters: either somebody forges answers, or the server is like that.</summary>
    public bool Confirms { get; init; }

    /// <summary>Messages that were not its answer.</summary>
    public int Strangers { get; set; }
}
