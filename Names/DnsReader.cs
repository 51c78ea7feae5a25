using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Ip;

namespace Tapwire.Names;

/// <summary>A cursor over a message. Every method checks its bounds first, and returns false at what is malformed.</summary>
internal ref struct DnsReader(ReadOnlySpan<byte> message)
{
    private readonly ReadOnlySpan<byte> _message = message;

    /// <summary>What stands before the data of every record.</summary>
    /// <param name="Class">Of <see cref="DnsType.Options"/>, the length of datagrams.</param>
    public readonly record struct RecordHead(DnsName Owner, DnsType Type, ushort Class, uint Lifetime, int Length)
    {
        public bool IsInternet => Class == 1;
    }

    public int Position { get; private set; }

    public readonly int Left => _message.Length - Position;

    public bool TryReadUInt16(out ushort value)
    {
        value = 0;
        if (Left < 2)
            return false;
        value = BinaryPrimitives.ReadUInt16BigEndian(_message[Position..]);
        Position += 2;
        return true;
    }

    public bool TryReadUInt32(out uint value)
    {
        value = 0;
        if (Left < 4)
            return false;
        value = BinaryPrimitives.ReadUInt32BigEndian(_message[Position..]);
        Position += 4;
        return true;
    }

    /// <summary>Reads a name, whose pointers lead backwards: each to before the part that it ends, so that no name is endless.</summary>
    /// <param name="isPlain">The name may have no pointer.</param>
    public bool TryReadName([NotNullWhen(true)] out DnsName? name, bool isPlain = false)
    {
        Span<byte> wire = stackalloc byte[DnsName.MaxLength];
        name = TryReadWire(wire, isPlain, out var length) ? DnsName.FromWire(wire[..length]) : null;
        return name is not null;
    }

    /// <summary>The same with its letters as they are written: of a service's instance people read them (RFC 6763, 4.1.1).</summary>
    /// <param name="spelling">The whole name, without pointers.</param>
    public bool TryReadName([NotNullWhen(true)] out DnsName? name, out byte[] spelling)
    {
        Span<byte> wire = stackalloc byte[DnsName.MaxLength];
        name = TryReadWire(wire, isPlain: false, out var length) ? DnsName.FromWire(wire[..length]) : null;
        spelling = wire[..length].ToArray();
        return name is not null;
    }

    /// <param name="wire">Room for the longest name, which gets it whole.</param>
    private bool TryReadWire(scoped Span<byte> wire, bool isPlain, out int length)
    {
        length = 0;
        var at = Position;
        var part = at;
        var end = -1;
        while (at < _message.Length)
        {
            int head = _message[at];
            if (head > DnsName.MaxLabel)
            {
                if ((head & 0xC0) != 0xC0 || at + 1 >= _message.Length || isPlain)
                    return false;
                var target = ((head & 0x3F) << 8) | _message[at + 1];
                if (target >= part || target < DnsMessage.HeaderSize)
                    return false;
                if (end < 0)
                    end = at + 2;
                part = at = target;
                continue;
            }

            if (length + 1 + head > DnsName.MaxLength || at + 1 + head > _message.Length)
                return false;
            _message.Slice(at, 1 + head).CopyTo(wire[length..]);
            length += 1 + head;
            at += 1 + head;
            if (head != 0)
                continue;
            Position = end < 0 ? at : end;
            return true;
        }

        return false;
    }

    public bool TryReadBytes(int count, out ReadOnlySpan<byte> bytes)
    {
        bytes = default;
        if (count < 0 || Left < count)
            return false;
        bytes = _message.Slice(Position, count);
        Position += count;
        return true;
    }

    public bool TryReadRecord(out RecordHead head)
    {
        head = default;
        if (!TryReadName(out var owner) || !TryReadUInt16(out var type) || !TryReadUInt16(out var @class) || !TryReadUInt32(out var lifetime) || !TryReadUInt16(out var length)
            || length > Left)
            return false;
        head = new RecordHead(owner, (DnsType)type, @class, lifetime, length);
        return true;
    }

    /// <param name="record">Null: of a type that no look-up needs.</param>
    public bool TryReadData(in RecordHead head, out DnsRecord? record)
    {
        record = null;
        var end = Position + head.Length;
        // The highest bit means 0 (RFC 2181, 8).
        var lifetime = head.Lifetime > int.MaxValue ? 0 : head.Lifetime;
        switch (head.IsInternet ? head.Type : 0)
        {
            case DnsType.A when head.Length == 4:
            case DnsType.Aaaa when head.Length == 16:
                record = new DnsRecord(head.Owner, head.Type, lifetime, IpAddress.FromBytes(_message.Slice(Position, head.Length)));
                Position = end;
                break;
            case DnsType.A or DnsType.Aaaa:
                return false;
            case DnsType.CanonicalName or DnsType.Pointer:
                if (!TryReadName(out var target))
                    return false;
                record = new DnsRecord(head.Owner, head.Type, lifetime, Target: target);
                break;
            case DnsType.StartOfAuthority:
                if (!TryReadName(out _) || !TryReadName(out _) || Left < 5 * sizeof(uint))
                    return false;
                Position += 4 * sizeof(uint);
                TryReadUInt32(out var minimum);
                record = new DnsRecord(head.Owner, head.Type, lifetime, NegativeLifetime: Math.Min(lifetime, minimum));
                break;
            default:
                Position = end;
                break;
        }

        return Position == end;
    }
}
