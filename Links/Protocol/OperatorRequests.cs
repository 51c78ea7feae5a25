using System.Buffers.Binary;
using Tapwire.Posix;
using Tapwire.Stack.Ip;

namespace Tapwire.Links.Protocol;

/// <summary>Ends a TCP connection of the driver for both sides: its application gets ECONNABORTED, its peer a reset. For the driver's own user and root.</summary>
public sealed record KillRequest(uint Id, IpEndpoint Local, IpEndpoint Remote) : LinkRequest(LinkMessageType.Kill, Id)
{
    /// <summary>Bytes of the whole frame.</summary>
    internal const int Size = 72;

    public LinkAnswer Done() => Succeeded();

    /// <inheritdoc cref="AddGuestRequest.Refused"/>
    public LinkAnswer Refused(int errno, string reason) => LinkAnswer.Refusal(Type, Id, errno, reason);

    /// <exception cref="LinkProtocolException">The second address is none.</exception>
    internal static KillRequest Read(uint id, Sockaddr local, ReadOnlySpan<byte> frame) =>
        Sockaddr.TryRead(frame[44..], out var remote) ? new(id, local.Endpoint, remote.Endpoint) : throw new LinkProtocolException("The peer's address has an unknown family.");

    internal void WriteBody(Span<byte> frame)
    {
        Sockaddr.From(Local).WriteTo(frame[16..]);
        Sockaddr.From(Remote).WriteTo(frame[44..]);
    }
}

/// <summary>What a driver's operator wants of it as a whole.</summary>
public enum DriverOperation
{
    /// <summary>An orderly stop, as on SIGTERM. It is answered when it begins.</summary>
    Stop = 1,

    /// <summary>Read the settings again, as on SIGHUP. It is answered at once: the log says what has changed.</summary>
    Reload = 2,
}

/// <summary>Has the driver stop, or read its settings again. For the driver's own user and root. ENOTSUP: the driver belongs to a program, with which it ends.</summary>
public sealed record OperateRequest(uint Id, DriverOperation Operation) : LinkRequest(LinkMessageType.Operate, Id)
{
    /// <summary>Bytes of the whole frame.</summary>
    internal const int Size = 24;

    public LinkAnswer Done() => Succeeded();

    /// <inheritdoc cref="AddGuestRequest.Refused"/>
    public LinkAnswer Refused(int errno, string reason) => LinkAnswer.Refusal(Type, Id, errno, reason);

    /// <exception cref="LinkProtocolException">There is no such operation.</exception>
    internal static OperateRequest Read(uint id, ReadOnlySpan<byte> frame)
    {
        var operation = (DriverOperation)BinaryPrimitives.ReadUInt32LittleEndian(frame[16..]);
        return Enum.IsDefined(operation) ? new(id, operation) : throw new LinkProtocolException($"There is no operation {(uint)operation}.");
    }

    internal void WriteBody(Span<byte> frame) => BinaryPrimitives.WriteUInt32LittleEndian(frame[16..], (uint)Operation);
}
