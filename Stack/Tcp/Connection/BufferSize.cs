namespace Tapwire.Stack.Tcp.Connection;

/// <summary>How many bytes one direction of a connection may hold now, and how many at most.</summary>
internal struct BufferSize
{
    /// <summary>What a connection that begins under memory pressure has to begin with.</summary>
    private const int Pressed = 64 << 10;

    public int Current { get; private set; }

    public int Maximum { get; private set; }

    public readonly bool MayGrow => Current < Maximum;

    /// <summary>A size that the application names stays; otherwise the buffer begins with the stack's and may grow.</summary>
    /// <param name="named">What the application has set; 0: nothing.</param>
    /// <param name="initial">The stack's, to begin with.</param>
    /// <param name="most">The stack's limit of growth.</param>
    /// <param name="share">As much of the memory as the connection may begin with.</param>
    public void Set(int named, int initial, int most, bool isUnderPressure, int share = int.MaxValue)
    {
        if (named > 0)
        {
            Current = named;
            Maximum = named;
            return;
        }

        Maximum = Math.Max(initial, most);
        Current = Math.Min(Math.Max(Current, Math.Min(Math.Min(initial, share), isUnderPressure ? Pressed : int.MaxValue)), Maximum);
    }

    /// <summary>Grows to a size, within the limit; never shrinks.</summary>
    public void GrowTo(long wanted) => Current = (int)Math.Clamp(wanted, Current, Maximum);
}
