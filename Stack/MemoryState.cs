namespace Tapwire.Stack;

/// <summary>How much memory there is left, as it was lately seen. One thread sets it; all may look.</summary>
public sealed class MemoryState
{
    private volatile int _level;
    private volatile bool _isHalfUsed;

    /// <summary>For those whom nobody tells: always enough.</summary>
    public static MemoryState Unwatched { get; } = new();

    /// <summary>So much is used that little more than what is needed is to wait in sockets for applications which do not read, long before anything is scarce.</summary>
    public bool IsHalfUsed
    {
        get => _isHalfUsed;
        set => _isHalfUsed = value;
    }

    public MemoryLevel Level
    {
        get => (MemoryLevel)_level;
        set => _level = (int)value;
    }
}
