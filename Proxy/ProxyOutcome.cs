using Tapwire.Stack;

namespace Tapwire.Proxy;

/// <summary>The outcome of a client's request. Both protocols have an answer for each.</summary>
public enum ProxyOutcome
{
    Succeeded,

    /// <summary>Any other failure.</summary>
    Failed,

    /// <summary>The settings do not allow this destination.</summary>
    NotAllowed,

    NetworkUnreachable,

    HostUnreachable,

    /// <summary>There is no host of that name.</summary>
    NameUnknown,

    ConnectionRefused,

    /// <summary>Nobody answered in time.</summary>
    TimedOut,

    /// <summary>As many connections as the settings allow are open.</summary>
    Busy,

    CommandNotSupported,

    AddressTypeNotSupported,
}

public static class ProxyOutcomes
{
    /// <summary>The outcome that a client is told for an error of the stack.</summary>
    public static ProxyOutcome Of(StackError error) => error switch
    {
        StackError.None => ProxyOutcome.Succeeded,
        StackError.ConnectionRefused => ProxyOutcome.ConnectionRefused,
        StackError.NetworkUnreachable => ProxyOutcome.NetworkUnreachable,
        StackError.HostUnreachable or StackError.HostDown => ProxyOutcome.HostUnreachable,
        StackError.TimedOut => ProxyOutcome.TimedOut,
        StackError.AccessDenied => ProxyOutcome.NotAllowed,
        StackError.AddressFamilyNotSupported => ProxyOutcome.AddressTypeNotSupported,
        StackError.NoBufferSpace => ProxyOutcome.Busy,
        _ => ProxyOutcome.Failed,
    };

    /// <summary>RFC 1928, 6.</summary>
    public static SocksReplyCode ToSocks(ProxyOutcome outcome) => outcome switch
    {
        ProxyOutcome.Succeeded => SocksReplyCode.Succeeded,
        ProxyOutcome.NotAllowed => SocksReplyCode.NotAllowed,
        ProxyOutcome.NetworkUnreachable => SocksReplyCode.NetworkUnreachable,
        ProxyOutcome.HostUnreachable or ProxyOutcome.NameUnknown => SocksReplyCode.HostUnreachable,
        ProxyOutcome.ConnectionRefused => SocksReplyCode.ConnectionRefused,
        ProxyOutcome.TimedOut => SocksReplyCode.TtlExpired,
        ProxyOutcome.CommandNotSupported => SocksReplyCode.CommandNotSupported,
        ProxyOutcome.AddressTypeNotSupported => SocksReplyCode.AddressTypeNotSupported,
        _ => SocksReplyCode.GeneralFailure,
    };

    /// <summary>RFC 9110, 15; the text is for a person.</summary>
    public static byte[] ToHttp(ProxyOutcome outcome) => outcome switch
    {
        ProxyOutcome.Succeeded => HttpConnect.Established(),
        ProxyOutcome.NotAllowed => HttpConnect.Refusal("403 Forbidden", "This destination is not allowed."),
        ProxyOutcome.NetworkUnreachable => HttpConnect.Refusal("502 Bad Gateway", "There is no route to the destination."),
        ProxyOutcome.HostUnreachable => HttpConnect.Refusal("502 Bad Gateway", "The destination cannot be reached."),
        ProxyOutcome.NameUnknown => HttpConnect.Refusal("502 Bad Gateway", "There is no host of that name."),
        ProxyOutcome.ConnectionRefused => HttpConnect.Refusal("502 Bad Gateway", "The destination refuses the connection."),
        ProxyOutcome.TimedOut => HttpConnect.Refusal("504 Gateway Timeout", "The destination does not answer."),
        ProxyOutcome.Busy => HttpConnect.Refusal("503 Service Unavailable", "Too many connections are open."),
        ProxyOutcome.AddressTypeNotSupported => HttpConnect.Refusal("502 Bad Gateway", "The destination's kind of address is not supported."),
        _ => HttpConnect.Refusal("502 Bad Gateway", "The connection to the destination has failed."),
    };
}
