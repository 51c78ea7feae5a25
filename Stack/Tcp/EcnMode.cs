namespace Tapwire.Stack.Tcp;

/// <summary>Whether connections take part in explicit congestion notification (RFC 3168).</summary>
public enum EcnMode : byte
{
    Off,

    /// <summary>If the peer offers it.</summary>
    Passive,

    /// <summary>It is offered, too.</summary>
    On,
}
