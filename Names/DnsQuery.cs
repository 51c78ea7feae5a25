using System.Buffers.Binary;
using Tapwire.Stack;

namespace Tapwire.Names;

/// <summary>Writes questions, and tells whether an answer is one's.</summary>
internal static class DnsQuery
{
    /// <summary>Bytes of the OPT record.</summary>
    private const int OptionsSize = 11;

    /// <summary>Recursion is desired.</summary>
    private const ushort Flags = 0x0100;

    /// <summary>A question of class IN.</summary>
    /// <param name="hasOptions">EDNS(0) (RFC 6891), with <see cref="DnsMessage.MaxDatagram"/> bytes.</param>
    /// <param name="cases">Chooses the case of each letter, which the answer has to repeat: one more bit to be guessed for each (draft-vixie-dnsext-dns0x20). Null: lower case.</param>
    public static byte[] Write(ushort id, DnsName name, DnsType type, bool hasOptions, KeyedRandom? cases)
    {
        var wire = name.Wire;
        var message = new byte[DnsMessage.HeaderSize + wire.Length + 4 + (hasOptions ? OptionsSize : 0)];
        BinaryPrimitives.WriteUInt16BigEndian(message, id);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), Flags);
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(4), 1);
        var question = message.AsSpan(DnsMessage.HeaderSize);
        wire.CopyTo(question);
        if (cases is not null)
            Mix(question[..wire.Length], cases);
        BinaryPrimitives.WriteUInt16BigEndian(question[wire.Length..], (ushort)type);
        BinaryPrimitives.WriteUInt16BigEndian(question[(wire.Length + 2)..], 1);
        if (!hasOptions)
            return message;
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(10), 1);
        var options = question[(wire.Length + 4)..];
        BinaryPrimitives.WriteUInt16BigEndian(options[1..], (ushort)DnsType.Options);
        BinaryPrimitives.WriteUInt16BigEndian(options[3..], DnsMessage.MaxDatagram);
        return message;
    }

    /// <summary>The question's bytes in a message that <see cref="Write"/> has made.</summary>
    public static ReadOnlySpan<byte> QuestionOf(ReadOnlySpan<byte> query, DnsName name) => query.Slice(DnsMessage.HeaderSize, name.Wire.Length + 4);

    /// <summary>Whether two questions are the same but for the case of letters.</summary>
    public static bool IsSame(ReadOnlySpan<byte> one, ReadOnlySpan<byte> other)
    {
        if (one.Length != other.Length)
            return false;
        // Lengths of labels are below 'A', and type and class are compared as they are.
        for (var i = 0; i < one.Length; i++)
        {
            if (one[i] != other[i] && (i >= one.Length - 4 || Lower(one[i]) != Lower(other[i])))
                return false;
        }

        return true;
    }

    private static void Mix(Span<byte> wire, KeyedRandom cases)
    {
        var bits = 0UL;
        var left = 0;
        for (var i = 0; wire[i] != 0; i += 1 + wire[i])
        {
            foreach (ref var c in wire.Slice(i + 1, wire[i]))
            {
                if (c is < (byte)'a' or > (byte)'z')
                    continue;
                if (left == 0)
                    (bits, left) = (cases.NextUInt64(), 64);
                if ((bits & 1) != 0)
                    c &= 0xDF;
                bits >>= 1;
                left--;
            }
        }
    }

    private static byte Lower(byte c) => (byte)(c is >= (byte)'A' and <= (byte)'Z' ? c | 0x20 : c);
}
