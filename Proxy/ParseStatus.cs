namespace Tapwire.Proxy;

/// <summary>The outcome of parsing the bytes so far.</summary>
public enum ParseStatus
{
    /// <summary>The message is complete.</summary>
    Complete,

    /// <summary>Well-formed so far; more bytes are needed.</summary>
    Incomplete,

    /// <summary>Not a valid message, whatever follows.</summary>
    Malformed,

    /// <summary>Well-formed, but with an unknown type of address (RFC 1928, 6: X'08').</summary>
    UnknownAddressType,
}
