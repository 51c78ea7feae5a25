namespace Tapwire.Stack;

/// <summary>How much memory was left at the last look. One thread sets it; any thread may read it.</summary>
public sealed class MemoryState
{
    private volatile int _level;
    private volatile bool _isHalfUsed;

    /// <summary>For stacks whose memory nobody watches: always ample.</summary>
    public static MemoryState Unwatched { get; } = new();

    /// <summary>Half of the memory is in use. From then on sockets hold little more than necessary for applications that do not read, long before memory is
    /// scarce.</summary>
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
