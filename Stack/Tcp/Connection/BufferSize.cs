namespace Tapwire.Stack.Tcp.Connection;

/// <summary>Current and largest size of one direction's buffer, in bytes.</summary>
internal struct BufferSize
{
    /// <summary>Initial size of a connection that begins under memory pressure.</summary>
    private const int Pressed = 64 << 10;

    public int Current { get; private set; }

    public int Maximum { get; private set; }

    public readonly bool MayGrow => Current < Maximum;

    /// <summary>Sets the size. A size set by the application stays; otherwise the buffer begins with the stack's size and may grow.</summary>
    /// <param name="named">The application's size; 0: none.</param>
    /// <param name="initial">The stack's initial size.</param>
    /// <param name="most">The stack's limit of growth.</param>
    /// <param name="share">The share of the memory with which the connection may begin.</param>
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
