using System.Buffers.Binary;
using Tapwire.Posix;

namespace Tapwire.Links.Protocol;

/// <summary>
/// What arrives on a listening socket's descriptor for each accepted connection, together with the connection's own descriptor: accept() is one recvmsg
/// of exactly <see cref="Size"/> bytes.
/// </summary>
/// <param name="Peer">Who has connected.</param>
/// <param name="Local">The address it has connected to.</param>
/// <param name="Mark">The low 32 bits of the connection's handle, so that nobody has to ask for them; 0: not told.</param>
public readonly record struct AcceptRecord(Sockaddr Peer, Sockaddr Local, uint Mark = 0)
{
    /// <summary>Bytes of a record: peer address, u32 mark, local address, u32 zero.</summary>
    public const int Size = 64;

    private const int MarkAt = 28;
    private const int LocalAt = 32;

    /// <summary>Writes <see cref="Size"/> bytes.</summary>
    public void WriteTo(Span<byte> destination)
    {
        destination = destination[..Size];
        destination.Clear();
        Peer.WriteTo(destination);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[MarkAt..], Mark);
        Local.WriteTo(destination[LocalAt..]);
    }

    /// <summary>Reads <see cref="Size"/> bytes. False for addresses of unknown families.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, out AcceptRecord record)
    {
        var read = Sockaddr.TryRead(source, out var peer);
        read &= Sockaddr.TryRead(source[LocalAt..], out var local);
        record = new(peer, local, BinaryPrimitives.ReadUInt32LittleEndian(source[MarkAt..]));
        return read;
    }
}
