using Tapwire.Wires;

namespace Tapwire;

/// <summary>One direction between two hosts of a lab: its conditions, and what has become of its frames.</summary>
public sealed class LabPath : LabConditions
{
    /// <summary>Frames under way at once; one more is dropped as of a full queue.</summary>
    private const int MostUnderWay = 1 << 17;

    private readonly LabTimers _timers;
    private readonly CableLine _line;
    private LabCounters _counters;
    private int _underWay;

    internal LabPath(LabHost from, LabHost to, LabTimers timers, CableImpairments conditions, ulong seed)
    {
        (From, To, _timers) = (from, to, timers);
        _line = new CableLine(conditions, seed);
    }

    /// <summary>The host that sends.</summary>
    public LabHost From { get; }

    /// <summary>The host that receives.</summary>
    public LabHost To { get; }

    /// <summary>No frame passes: a partition. Frames that are under way already arrive.</summary>
    public bool IsCut { get; set; }

    /// <summary>What has become of its frames.</summary>
    public LabCounters Counters => _counters;

    private protected override CableImpairments Current => _line.Impairments;

    private protected override void Change(string property, Func<CableImpairments, CableImpairments> change) => Apply(change);

    internal void Apply(Func<CableImpairments, CableImpairments> change) => _line.Impairments = change(_line.Impairments);

    /// <summary>Sends a frame. On the loop.</summary>
    /// <returns>What becomes of it, in a word; null: it arrives as it is.</returns>
    internal string? Send(byte[] frame)
    {
        if (IsCut)
        {
            _counters = _counters with { Partitioned = _counters.Partitioned + 1 };
            return "partitioned";
        }

        if (_line.Loses())
        {
            _counters = _counters with { Lost = _counters.Lost + 1 };
            return "lost";
        }

        string? fate = null;
        if (_line.Corrupts())
        {
            frame = [.. frame];
            _line.Corrupt(frame);
            _counters = _counters with { Corrupted = _counters.Corrupted + 1 };
            fate = "corrupted";
        }

        var isDoubled = _line.Duplicates();
        if (isDoubled)
        {
            _counters = _counters with { Duplicated = _counters.Duplicated + 1 };
            fate = "duplicated";
        }

        if (!TryPass(frame))
            fate = "queue full";
        if (isDoubled)
            TryPass(frame);
        return fate;
    }

    private bool TryPass(byte[] frame)
    {
        var now = _timers.Elapsed.Ticks * TimeSpan.NanosecondsPerTick;
        if (_underWay >= MostUnderWay || !_line.TryPass(frame.Length, now, out var due, out var isReordered))
        {
            _counters = _counters with { QueueFull = _counters.QueueFull + 1 };
            return false;
        }

        if (isReordered)
            _counters = _counters with { Reordered = _counters.Reordered + 1 };
        _underWay++;
        _timers.Add(new TimeSpan((due - now + TimeSpan.NanosecondsPerTick - 1) / TimeSpan.NanosecondsPerTick), TimeSpan.Zero, () => Arrive(frame), isProgram: false);
        return true;
    }

    private void Arrive(byte[] frame)
    {
        _underWay--;
        _counters = To.TryReceive(frame)
            ? _counters with { Arrived = _counters.Arrived + 1, ArrivedBytes = _counters.ArrivedBytes + frame.Length }
            : _counters with { NotReceived = _counters.NotReceived + 1 };
    }
}
