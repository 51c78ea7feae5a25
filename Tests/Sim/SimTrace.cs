using System.Globalization;
using System.Text;
using Tapwire.Stack;
using Tapwire.Stack.Packets;

namespace Tapwire.Tests.Sim;

/// <summary>
/// The last segments that hosts have sent, and what their applications did, written out only when somebody asks: one line each, as tcpdump has it, with
/// what became of the segment at its end. <see cref="Hash"/> is over all there ever were.
/// </summary>
internal sealed class SimTrace
{
    private const int Kept = 400;

    private readonly Entry[] _entries = new Entry[Kept];
    private long _count;

    /// <summary>Two runs with the same hash have sent the same at the same times, and the same became of it.</summary>
    public ulong Hash { get; private set; } = 14695981039346656037;

    public long Count => _count;

    public void Segment(Instant now, SimFlow flow, bool fromLeft, in TcpHeader header, int length, SimFate fate, Instant arrival)
    {
        ref var entry = ref Next(now);
        entry.Flow = flow;
        entry.FromLeft = fromLeft;
        entry.Header = header;
        entry.Length = length;
        entry.Fate = fate;
        entry.Arrival = arrival;
        entry.Note = null;
        Mix((ulong)now.Ticks);
        Mix((ulong)header.Sequence << 32 | header.Acknowledgment);
        Mix((ulong)length << 48 | (ulong)header.Window << 32 | (ulong)header.Flags << 24 | (ulong)fate << 8 | (fromLeft ? 1u : 0));
    }

    /// <param name="note">A constant: nothing is formatted while nobody asks.</param>
    public void Note(Instant now, bool left, int flow, string note)
    {
        ref var entry = ref Next(now);
        entry.Note = note;
        entry.FromLeft = left;
        entry.Length = flow;
        Mix((ulong)now.Ticks);
    }

    public string Format(Instant start)
    {
        var text = new StringBuilder();
        if (_count > Kept)
            text.AppendLine(CultureInfo.InvariantCulture, $"({_count - Kept} lines before)");
        for (var i = Math.Max(0, _count - Kept); i < _count; i++)
            Format(text, _entries[i % Kept], start);
        return text.ToString();
    }

    private ref Entry Next(Instant now)
    {
        ref var entry = ref _entries[_count++ % Kept];
        entry.At = now;
        return ref entry;
    }

    private void Mix(ulong value) => Hash = (Hash ^ value) * 1099511628211 + (Hash >> 29);

    private static void Format(StringBuilder text, in Entry entry, Instant start)
    {
        text.Append((entry.At - start).TotalSeconds.ToString("F6", CultureInfo.InvariantCulture)).Append(' ');
        if (entry.Note is { } note)
        {
            text.Append(CultureInfo.InvariantCulture, $"#{entry.Length} {(entry.FromLeft ? "left" : "right")} {note}").AppendLine();
            return;
        }

        var header = entry.Header;
        var (sender, receiver) = entry.FromLeft ? (entry.Flow!.Left, entry.Flow.Right) : (entry.Flow!.Right, entry.Flow.Left);
        text.Append(CultureInfo.InvariantCulture, $"#{entry.Flow.Number} {(entry.FromLeft ? '>' : '<')} ")
            .Append(ScriptSegment.From(header, entry.Length, null, sender.Iss, receiver.Iss, 0));
        if ((entry.Fate & SimFate.Dropped) == 0)
            text.Append(CultureInfo.InvariantCulture, $" +{(entry.Arrival - entry.At).TotalMilliseconds:F3}ms");
        if (entry.Fate != SimFate.Passed)
            text.Append(" *** ").Append(entry.Fate);
        text.AppendLine();
    }

    private struct Entry
    {
        public Instant At;
        public Instant Arrival;
        public SimFlow? Flow;
        public string? Note;
        public TcpHeader Header;
        public int Length;
        public SimFate Fate;
        public bool FromLeft;
    }
}
