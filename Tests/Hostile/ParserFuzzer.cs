namespace Tapwire.Tests.Hostile;

/// <summary>An input on which a parser did what it must not.</summary>
internal sealed record ParserFailure(byte[] Input, string Reason);

/// <summary>
/// Tries inputs on one parser and keeps those that bring it where none has been (AFL's way): inputs are made of these. Without instrumented assemblies nothing is
/// kept, and it is chance alone.
/// </summary>
/// <param name="map">One counter for each branch, by its hash, which the instrumented code counts up; see CONTRIBUTING.md.</param>
internal sealed class ParserFuzzer(ParserTarget target, Memory<byte> map, ulong seed) : IDisposable
{
    /// <summary>Bytes of the map, as AFL has it and SharpFuzz's instrumentation expects.</summary>
    public const int MapSize = 1 << 16;

    private readonly GuardedBytes _guarded = new();
    private readonly SeededRandom _random = new(seed);
    private readonly List<byte[]> _corpus = [.. target.Seeds];
    private readonly byte[] _seen = new byte[MapSize];

    public string Name => target.Name;

    public long Runs { get; private set; }

    public int Corpus => _corpus.Count;

    /// <summary>Branches that some input has taken.</summary>
    public int Branches => MapSize - _seen.AsSpan().Count((byte)0);

    public ParserFailure? Failure { get; private set; }

    /// <summary>The input that is being tried; for whoever finds that it takes too long.</summary>
    public byte[] Current { get; private set; } = [];

    /// <summary>Tries so many inputs, or up to the first failure.</summary>
    public void Run(int count)
    {
        for (; count > 0 && Failure is null; count--)
        {
            var input = _random.OneIn(8) ? target.Input(_random) : target.Changed(Any(), Any(), _random);
            if (Try(input) is { } reason)
                Failure = Simplest(input, reason);
            else if (IsNew())
                _corpus.Add(input);
        }
    }

    /// <returns>Why it failed; null if it did not.</returns>
    public string? Try(byte[] input)
    {
        Runs++;
        Current = input;
        map.Span.Clear();
        try
        {
            target.Check(_guarded.Copy(input));
            return null;
        }
        catch (Exception e)
        {
            return e.ToString();
        }
    }

    public void Dispose() => _guarded.Dispose();

    private byte[] Any() => _corpus[_random.Next(_corpus.Count)];

    /// <summary>Whether a branch was taken for the first time, or about twice as often as ever.</summary>
    private bool IsNew()
    {
        var any = false;
        var counts = map.Span;
        for (var at = counts.IndexOfAnyExcept((byte)0); at >= 0;)
        {
            var magnitude = (byte)(1 << Math.Min(7, (int)uint.Log2(counts[at])));
            any |= (_seen[at] & magnitude) == 0;
            _seen[at] |= magnitude;
            var next = counts[(at + 1)..].IndexOfAnyExcept((byte)0);
            at = next < 0 ? -1 : at + 1 + next;
        }

        return any;
    }

    private ParserFailure Simplest(byte[] input, string reason)
    {
        var simplest = new ParserFailure(input, reason);
        for (var simpler = true; simpler;)
        {
            simpler = false;
            foreach (var candidate in ParserTarget.Simpler(simplest.Input))
            {
                if (Try(candidate) is not { } why)
                    continue;
                simplest = new ParserFailure(candidate, why);
                simpler = true;
                break;
            }
        }

        return simplest;
    }
}
