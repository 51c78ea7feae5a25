namespace Tapwire.Stack.Tcp;

/// <summary>Use of explicit congestion notification by connections (RFC 3168).</summary>
public enum EcnMode : byte
{
    Off,

    /// <summary>Used if the peer offers it.</summary>
    Passive,

    /// <summary>Offered to peers as well.</summary>
    On,
}
