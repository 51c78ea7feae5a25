using Tapwire.Stack.Buffers;

namespace Tapwire.Tests.Hostile;

/// <summary>The last frames of one direction, for others to be made of them.</summary>
internal sealed class FrameMemory
{
    /// <summary>Longer frames are not remembered.</summary>
    public const int MaxLength = 4500;

    private const int Slots = 64;

    private readonly byte[] _bytes = new byte[Slots * MaxLength];
    private readonly int[] _lengths = new int[Slots];
    private readonly OffloadNote[] _notes = new OffloadNote[Slots];
    private int _count;
    private int _next;

    public void Clear() => _count = _next = 0;

    public void Remember(PacketBuffer frame)
    {
        if (frame.TotalLength > MaxLength)
            return;
        frame.CopyTo(_bytes.AsSpan(_next * MaxLength, MaxLength));
        _lengths[_next] = frame.TotalLength;
        _notes[_next] = frame.Offload;
        Advance();
    }

    public void Remember(ReadOnlySpan<byte> frame)
    {
        frame.CopyTo(_bytes.AsSpan(_next * MaxLength, MaxLength));
        _lengths[_next] = frame.Length;
        _notes[_next] = default;
        Advance();
    }

    /// <summary>One of them; there must have been one.</summary>
    public ReadOnlySpan<byte> Any(Random random, out OffloadNote note)
    {
        var slot = random.Next(_count);
        note = _notes[slot];
        return _bytes.AsSpan(slot * MaxLength, _lengths[slot]);
    }

    /// <summary>The last three, in hexadecimal.</summary>
    public string Latest => string.Join(
        ' ',
        Enumerable.Range(Math.Max(0, _next - 3), Math.Min(3, _next)).Select(slot => Convert.ToHexString(_bytes.AsSpan(slot * MaxLength, Math.Min(80, _lengths[slot])))));

    private void Advance()
    {
        _next = (_next + 1) % Slots;
        _count = Math.Max(_count, _next == 0 ? Slots : _next);
    }
}
