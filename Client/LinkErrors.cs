using System.Net.Sockets;
using Tapwire.Links.Protocol;
using Tapwire.Stack;
using Tapwire.Posix;

namespace Tapwire.Links.Client;

/// <summary>Linux errno numbers as .NET's socket errors.</summary>
internal static class LinkErrors
{
    public static SocketException ToException(int errno) => new((int)ToSocketError(errno));

    /// <summary>The error of an answer, with the driver's own words where it has said more.</summary>
    public static SocketException ToException(LinkAnswer refusal) => refusal.Reason is { Length: > 0 } reason
        ? new((int)ToSocketError(refusal.Error), reason)
        : ToException(refusal.Error);

    public static SocketError ToSocketError(int errno) => errno switch
    {
        0 => SocketError.Success,
        LinkErrno.BadHandle => SocketError.NotSocket,
        LinkErrno.NotPermitted or 13 => SocketError.AccessDenied,
        Errors.ENOMEM => SocketError.NoBufferSpaceAvailable,
        Errors.ENFILE or LinkErrno.TooManyDescriptors or LinkErrno.TooManyInFlight => SocketError.TooManyOpenSockets,
        LinkErrno.UnknownRequest => SocketError.OperationNotSupported,
        LinkErrno.ProtocolNotSupported => SocketError.ProtocolNotSupported,
        LinkErrno.SocketTypeNotSupported => SocketError.SocketNotSupported,
        LinkErrno.ServerFailure => SocketError.TryAgain,
        LinkErrno.NoData => SocketError.NoData,
        LinkErrno.NoServer => SocketError.NoRecovery,
        LinkErrno.AlreadyConnecting => SocketError.AlreadyInProgress,
        LinkErrno.InProgress => SocketError.InProgress,
        (int)StackError.InvalidArgument => SocketError.InvalidArgument,
        (int)StackError.BrokenPipe => SocketError.Shutdown,
        (int)StackError.MessageTooLong => SocketError.MessageSize,
        (int)StackError.NoSuchOption => SocketError.ProtocolOption,
        (int)StackError.NotSupported => SocketError.OperationNotSupported,
        (int)StackError.AddressFamilyNotSupported => SocketError.AddressFamilyNotSupported,
        (int)StackError.AddressInUse => SocketError.AddressAlreadyInUse,
        (int)StackError.AddressNotAvailable => SocketError.AddressNotAvailable,
        (int)StackError.NetworkUnreachable => SocketError.NetworkUnreachable,
        (int)StackError.ConnectionAborted => SocketError.ConnectionAborted,
        (int)StackError.ConnectionReset => SocketError.ConnectionReset,
        (int)StackError.NoBufferSpace => SocketError.NoBufferSpaceAvailable,
        (int)StackError.AlreadyConnected => SocketError.IsConnected,
        (int)StackError.NotConnected => SocketError.NotConnected,
        (int)StackError.TimedOut => SocketError.TimedOut,
        (int)StackError.ConnectionRefused => SocketError.ConnectionRefused,
        (int)StackError.HostDown => SocketError.HostDown,
        (int)StackError.HostUnreachable => SocketError.HostUnreachable,
        _ => SocketError.SocketError,
    };
}
