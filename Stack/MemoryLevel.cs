namespace Tapwire.Stack;

/// <summary>How much memory there is left where the stack runs, whoever uses it.</summary>
public enum MemoryLevel
{
    /// <summary>Enough.</summary>
    Ample,

    /// <summary>Buffers do not grow, and windows open no further than a few segments.</summary>
    Scarce,

    /// <summary>New connections, datagrams and out-of-order data are refused, and of what else comes only the little that lets each connection end.</summary>
    Exhausted,
}
