using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Names.Mdns;

/// <summary>What goes out on a link: it is bounded, and known again when it comes back.</summary>
internal sealed class MdnsOutput(MdnsCounters counters)
{
    /// <summary>Messages with answers in a second, and at once: to the groups, and to single askers.</summary>
    public const int AnswersPerSecond = 50;

    private const int Burst = 25;

    /// <summary>Messages that may come back, from the groups that this host is in, too.</summary>
    private const int MaxEchoes = 64;

    private readonly Queue<MdnsEvent> _events = new();
    private readonly List<int> _echoes = [];
    private TokenBucket _multicasts = new(AnswersPerSecond, Burst);
    private TokenBucket _unicasts = new(AnswersPerSecond, Burst);

    public MdnsCounters Counters => counters;

    /// <summary>Those of which the link has an address.</summary>
    public MdnsFamilies Families { get; set; }

    /// <summary>The longest message, in bytes.</summary>
    public required int Size { get; init; }

    public Queue<MdnsEvent> Events => _events;

    /// <summary>Sends to the groups.</summary>
    public void Multicast(MdnsFamilies families, byte[] message)
    {
        families &= Families;
        if (families == MdnsFamilies.None)
            return;
        counters.Sent++;
        var hash = HashOf(message);
        for (var left = (int)families; left != 0; left &= left - 1)
            _echoes.Add(hash);
        if (_echoes.Count > MaxEchoes)
            _echoes.RemoveRange(0, _echoes.Count - MaxEchoes);
        _events.Enqueue(new MdnsSend(families, null, message));
    }

    /// <summary>Tells the groups of records, in as many messages as they need. Lifetimes of 0 take them back.</summary>
    public void Tell(MdnsFamilies families, IEnumerable<MdnsRecord> records)
    {
        var writer = new MdnsWriter(isResponse: true, Size);
        foreach (var record in records)
        {
            if (writer.TryAdd(record, MdnsSection.Answer))
                continue;
            Multicast(families, writer.Message);
            writer = new MdnsWriter(isResponse: true, Size);
            writer.TryAdd(record, MdnsSection.Answer);
        }

        if (!writer.IsEmpty)
            Multicast(families, writer.Message);
    }

    public bool MayAnswerAll(Instant now) => Bounded(_multicasts.TryTake(now));

    /// <summary>Answers one asker, unless too many have been answered in this second.</summary>
    public void Unicast(IpEndpoint to, MdnsWriter writer, Instant now)
    {
        if (!Bounded(_unicasts.TryTake(now)))
            return;
        counters.Sent++;
        _events.Enqueue(new MdnsSend(to.Address.IsV4 ? MdnsFamilies.V4 : MdnsFamilies.V6, to, writer.Message));
    }

    /// <summary>Whether a message that has come from an own address is one that was sent here, and not a program's of this host.</summary>
    public bool IsEcho(ReadOnlySpan<byte> message) => _echoes.Remove(HashOf(message));

    private bool Bounded(bool isWithin)
    {
        if (!isWithin)
            counters.RateLimited++;
        return isWithin;
    }

    private static int HashOf(ReadOnlySpan<byte> message)
    {
        var hash = new HashCode();
        hash.AddBytes(message);
        return hash.ToHashCode();
    }
}
