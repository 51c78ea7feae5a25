using System.Buffers.Binary;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp;

/// <summary>Writes options one behind the other, those that have room.</summary>
internal ref struct DhcpOptionWriter(byte[] bytes)
{
    private int _at = DhcpMessage.OptionsOffset;

    /// <summary>An empty value is none.</summary>
    public void Put(DhcpOption option, scoped ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty || value.Length > byte.MaxValue || _at + 2 + value.Length + 1 > bytes.Length)
            return;
        bytes[_at] = (byte)option;
        bytes[_at + 1] = (byte)value.Length;
        value.CopyTo(bytes.AsSpan(_at + 2));
        _at += 2 + value.Length;
    }

    public void Put(DhcpOption option, IpAddress address)
    {
        Span<byte> value = stackalloc byte[4];
        address.CopyTo(value);
        Put(option, value);
    }

    public void Put(DhcpOption option, TimeSpan time)
    {
        Span<byte> value = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(value, (uint)Math.Min(time.TotalSeconds, uint.MaxValue - 1));
        Put(option, value);
    }

    /// <returns>The message's length.</returns>
    public readonly int End()
    {
        bytes[_at] = (byte)DhcpOption.End;
        return Math.Max(_at + 1, DhcpMessage.LeastLength);
    }
}
