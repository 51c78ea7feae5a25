namespace Tapwire.Stack.Forwarding;

/// <summary>What has become of a packet that leaves by an interface which masquerades.</summary>
internal enum NatOutcome
{
    /// <summary>It has the interface's address, and may leave.</summary>
    Translated,

    /// <summary>It belongs to no flow, and is dropped.</summary>
    Dropped,

    /// <summary>It would begin a flow and cannot: there is no room, no port or no address for it, or its protocol has no ports. Its sender is told so (RFC 5508, REQ-8).</summary>
    Refused,
}
