namespace Tapwire.Proxy;

/// <summary>What a parser made of the bytes so far.</summary>
public enum ParseStatus
{
    /// <summary>The whole message is there.</summary>
    Complete,

    /// <summary>So far it is well-formed; more has to come.</summary>
    Incomplete,

    /// <summary>Whatever comes, it will not be one.</summary>
    Malformed,

    /// <summary>Well-formed, but with an address of a type that nobody knows (RFC 1928, 6: X'08').</summary>
    UnknownAddressType,
}
