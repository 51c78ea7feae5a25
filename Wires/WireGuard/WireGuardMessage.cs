using System.Buffers.Binary;
using Tapwire.Wires.WireGuard.Crypto;

namespace Tapwire.Wires.WireGuard;

/// <summary>The four messages of WireGuard: their types, lengths and the places of their fields (WireGuard paper, 5.4). All numbers are little-endian.</summary>
internal static class WireGuardMessage
{
    /// <summary>The traffic class of handshake messages, as Linux has it (AF41): they are few, and much waits for them.</summary>
    public const byte HandshakeTrafficClass = 0x88;

    public const byte Initiation = 1;
    public const byte Response = 2;
    public const byte CookieReply = 3;
    public const byte Data = 4;

    public const int InitiationLength = 148;
    public const int ResponseLength = 92;
    public const int CookieReplyLength = 64;

    /// <summary>Type, receiver index and counter, before the sealed packet.</summary>
    public const int DataHeaderLength = 16;

    /// <summary>What a data message adds to a packet: <see cref="DataHeaderLength"/> and the tag.</summary>
    public const int DataOverhead = DataHeaderLength + TransportCipher.TagLength;

    /// <summary>A packet is padded with zeros to a multiple of this, but not beyond the MTU (5.4.6).</summary>
    public const int PaddingMultiple = 16;

    public const int TimestampLength = 12;

    /// <summary>mac1 and mac2, which end both handshake messages.</summary>
    public const int MacsLength = 2 * Blake2s.MacLength;

    /// <summary>The type of a message of a plausible length with zeros in the reserved bytes; 0 for any other.</summary>
    public static byte TypeOf(ReadOnlySpan<byte> message)
    {
        if (message.Length < DataOverhead)
            return 0;
        return (BinaryPrimitives.ReadUInt32LittleEndian(message), message.Length) switch
        {
            (Data, _) => Data,
            (Initiation, InitiationLength) => Initiation,
            (Response, ResponseLength) => Response,
            (CookieReply, CookieReplyLength) => CookieReply,
            _ => 0,
        };
    }

    /// <summary>Writes the type and three reserved zeros.</summary>
    public static void PutType(Span<byte> message, byte type) => BinaryPrimitives.WriteUInt32LittleEndian(message, type);

    /// <summary>Of both handshake messages: the sender's index.</summary>
    public static uint SenderOf(ReadOnlySpan<byte> message) => BinaryPrimitives.ReadUInt32LittleEndian(message[4..]);

    public static void PutSender(Span<byte> message, uint index) => BinaryPrimitives.WriteUInt32LittleEndian(message[4..], index);

    /// <summary>The receiver's index: behind the sender's in a response, behind the type in a cookie reply and in a data message.</summary>
    public static uint ReceiverOf(ReadOnlySpan<byte> message, byte type) => BinaryPrimitives.ReadUInt32LittleEndian(message[(type == Response ? 8 : 4)..]);

    public static void PutReceiver(Span<byte> message, byte type, uint index) => BinaryPrimitives.WriteUInt32LittleEndian(message[(type == Response ? 8 : 4)..], index);

    /// <summary>Of a data message.</summary>
    public static ulong CounterOf(ReadOnlySpan<byte> message) => BinaryPrimitives.ReadUInt64LittleEndian(message[8..]);

    public static void PutCounter(Span<byte> message, ulong counter) => BinaryPrimitives.WriteUInt64LittleEndian(message[8..], counter);

    /// <summary>The length of a packet after padding.</summary>
    public static int PaddedLength(int length, int mtu) => length >= mtu ? length : Math.Min((length + PaddingMultiple - 1) & -PaddingMultiple, mtu);
}
