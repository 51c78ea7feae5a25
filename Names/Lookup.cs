using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Names;

/// <summary>A look-up under way: the names that it tries, and what it knows of the present one.</summary>
/// <param name="candidates">In the order in which they are tried.</param>
/// <param name="text">The name as it was given.</param>
internal sealed class Lookup(long number, IReadOnlyList<DnsName> candidates, IReadOnlyList<DnsType> types, string text)
{
    private readonly DnsAnswer?[] _answers = new DnsAnswer?[types.Count];
    private int _index = -1;
    private bool _sawNoData;
    private bool _sawFailure;
    private bool _sawNoServer;

    public long Number => number;

    public IReadOnlyList<DnsType> Types => types;

    /// <summary>When it ends with the addresses that it has, although others are missing.</summary>
    public Instant Deadline { get; set; } = Instant.Never;

    public bool HasEnded { get; private set; }

    public bool IsComplete => Array.TrueForAll(_answers, static answer => answer is not null);

    public bool HasFound => Array.Exists(_answers, static answer => answer?.Result == LookupResult.Found);

    public DnsName Current => candidates[_index];

    /// <summary>Goes to the next name. False: there is none.</summary>
    public bool TryNext()
    {
        Array.Clear(_answers);
        return ++_index < candidates.Count;
    }

    /// <summary>Takes an answer, if it is still awaited.</summary>
    public bool TryTake(DnsName name, DnsType type, DnsAnswer answer)
    {
        for (var i = 0; i < types.Count; i++)
        {
            if (HasEnded || types[i] != type || _answers[i] is not null || !name.Equals(Current))
                continue;
            _answers[i] = answer;
            return true;
        }

        return false;
    }

    /// <returns>The end of the look-up, or null: the next name is to be tried. As in glibc, where nobody answers that is in vain.</returns>
    public LookupAnswer? Judge()
    {
        if (HasFound)
            return Found();
        foreach (var answer in _answers)
        {
            switch (answer?.Result)
            {
                case LookupResult.TimedOut or LookupResult.Busy:
                    return LookupAnswer.Failed(answer!.Result);
                case LookupResult.NoData:
                    _sawNoData = true;
                    break;
                case LookupResult.ServerFailure:
                    _sawFailure = true;
                    break;
                case LookupResult.NoServer:
                    _sawNoServer = true;
                    break;
            }
        }

        return null;
    }

    /// <summary>The answer when no name is left.</summary>
    public LookupAnswer Conclude() => LookupAnswer.Failed(
        _sawNoServer ? LookupResult.NoServer : _sawNoData ? LookupResult.NoData : _sawFailure ? LookupResult.ServerFailure : LookupResult.NoSuchName);

    public void End() => HasEnded = true;

    private LookupAnswer Found()
    {
        var found = _answers.OfType<DnsAnswer>().Where(static answer => answer.Result == LookupResult.Found).ToList();
        IpAddress[] addresses = [.. found.SelectMany(static answer => answer.Addresses).Distinct()];
        return new LookupAnswer(LookupResult.Found, addresses, NameOf(found[0].Target ?? Current))
        {
            Interface = found.Find(static answer => answer.Addresses.Any(static address => address is { IsV6: true, IsLinkLocal: true }))?.Interface,
        };
    }

    /// <summary>A name without aliases keeps its letters, as with servers that keep the case and glibc. Those of the answer have been chosen at random.</summary>
    private string NameOf(DnsName name)
    {
        var whole = name.ToString();
        return name.Equals(Current) && whole.StartsWith(text, StringComparison.OrdinalIgnoreCase) ? string.Concat(text, whole.AsSpan(text.Length)) : whole;
    }
}
