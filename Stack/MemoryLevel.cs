namespace Tapwire.Stack;

/// <summary>How much memory is left on the machine or in the control group, whatever uses it.</summary>
public enum MemoryLevel
{
    /// <summary>Enough.</summary>
    Ample,

    /// <summary>Buffers do not grow, and windows open no further than a few segments.</summary>
    Scarce,

    /// <summary>New connections, datagrams and out-of-order data are refused. Of other input only the little that lets each connection end is taken.</summary>
    Exhausted,
}
