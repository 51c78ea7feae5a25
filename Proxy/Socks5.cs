namespace Tapwire.Proxy;

/// <summary>Numbers of RFC 1928 and RFC 1929.</summary>
public static class Socks5
{
    public const byte Version = 5;

    /// <summary>The version of the user/password subnegotiation (RFC 1929, 2).</summary>
    public const byte LoginVersion = 1;

    /// <summary>RFC 1928, 3.</summary>
    public const byte NoAuthentication = 0x00;

    /// <summary>RFC 1928, 3.</summary>
    public const byte UserPassword = 0x02;

    /// <summary>RFC 1928, 3: the client must close.</summary>
    public const byte NoAcceptableMethod = 0xFF;
}

/// <summary>What a client asks for (RFC 1928, 4).</summary>
public enum SocksCommand : byte
{
    Connect = 1,
    Bind = 2,
    UdpAssociate = 3,
}

/// <summary>How an address is written (RFC 1928, 5).</summary>
public enum SocksAddressType : byte
{
    V4 = 1,
    DomainName = 3,
    V6 = 4,
}

/// <summary>RFC 1928, 6.</summary>
public enum SocksReplyCode : byte
{
    Succeeded = 0,
    GeneralFailure = 1,
    NotAllowed = 2,
    NetworkUnreachable = 3,
    HostUnreachable = 4,
    ConnectionRefused = 5,
    TtlExpired = 6,
    CommandNotSupported = 7,
    AddressTypeNotSupported = 8,
}
