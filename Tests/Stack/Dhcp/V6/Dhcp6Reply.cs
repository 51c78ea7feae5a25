using System.Buffers.Binary;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Ip;

namespace Tapwire.Tests.Stack.Dhcp.V6;

/// <summary>A server's message, byte by byte.</summary>
internal sealed class Dhcp6Reply
{
    public const uint Association = 0x0A0B_0C0D;

    public static readonly byte[] Client = [0, 3, 0, 1, 2, 0, 0, 0, 0, 2];
    public static readonly byte[] Server = [0, 3, 0, 1, 2, 0, 0, 0, 0, 1];

    private readonly List<byte> _bytes;

    public Dhcp6Reply(Dhcp6MessageType type, uint transaction, byte[]? client = null, byte[]? server = null)
    {
        _bytes = [(byte)type, (byte)(transaction >> 16), (byte)(transaction >> 8), (byte)transaction];
        With(Dhcp6Option.ClientIdentifier, client ?? Client);
        With(Dhcp6Option.ServerIdentifier, server ?? Server);
    }

    /// <summary>What every lease has: 2001:db8::50 for two hours, preferred for one.</summary>
    public static Dhcp6Reply Lease(Dhcp6MessageType type, uint transaction, string address = "2001:db8::50", uint valid = 7200, uint preferred = 3600, byte[]? client = null, byte[]? server = null,
        uint association = Association) =>
        new Dhcp6Reply(type, transaction, client, server).With(Dhcp6Option.NonTemporaryAddresses, Ia(association, 0, 0, Address(address, preferred, valid)));

    public Dhcp6Reply With(Dhcp6Option option, params byte[] value)
    {
        _bytes.AddRange(Option(option, value));
        return this;
    }

    public Dhcp6Reply With32(Dhcp6Option option, uint value) => With(option, Number(value));

    public Dhcp6Reply Status(Dhcp6Status status) => With(Dhcp6Option.StatusCode, StatusValue(status));

    /// <summary>The same option again takes the place of the earlier one.</summary>
    public Dhcp6Reply Instead(Dhcp6Option option, params byte[] value)
    {
        Without(option);
        return With(option, value);
    }

    public Dhcp6Reply Without(Dhcp6Option option)
    {
        for (var i = 4; i < _bytes.Count; i += 4 + (_bytes[i + 2] << 8 | _bytes[i + 3]))
        {
            if ((_bytes[i] << 8 | _bytes[i + 1]) != (int)option)
                continue;
            _bytes.RemoveRange(i, 4 + (_bytes[i + 2] << 8 | _bytes[i + 3]));
            break;
        }

        return this;
    }

    public Dhcp6Reply Raw(params byte[] bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public byte[] ToArray() => [.. _bytes];

    public static byte[] Ia(uint association, uint first, uint second, params byte[] options) => [.. Number(association), .. Number(first), .. Number(second), .. options];

    public static byte[] Address(string address, uint preferred, uint valid, params byte[] options) => Option(Dhcp6Option.Address, [.. Bytes(address), .. Number(preferred), .. Number(valid), .. options]);

    public static byte[] StatusOption(Dhcp6Status status) => Option(Dhcp6Option.StatusCode, StatusValue(status));

    public static byte[] Option(Dhcp6Option option, params byte[] value) => [(byte)((int)option >> 8), (byte)option, (byte)(value.Length >> 8), (byte)value.Length, .. value];

    /// <param name="addresses">Separated by blanks.</param>
    public static byte[] Addresses(string addresses) => [.. addresses.Split(' ').SelectMany(Bytes)];

    /// <summary>Options of a client's message.</summary>
    public static Dictionary<Dhcp6Option, byte[]> Read(ReadOnlySpan<byte> options)
    {
        var read = new Dictionary<Dhcp6Option, byte[]>();
        while (!options.IsEmpty)
        {
            var length = BinaryPrimitives.ReadUInt16BigEndian(options[2..]);
            read.Add((Dhcp6Option)BinaryPrimitives.ReadUInt16BigEndian(options), options.Slice(4, length).ToArray());
            options = options[(4 + length)..];
        }

        return read;
    }

    /// <summary>The addresses in the value of an association.</summary>
    public static IReadOnlyList<string> AddressesIn(ReadOnlySpan<byte> association)
    {
        var addresses = new List<string>();
        for (var rest = association[12..]; !rest.IsEmpty; rest = rest[28..])
            addresses.Add(IpAddress.FromBytes(rest.Slice(4, 16)).ToString());
        return addresses;
    }

    private static byte[] StatusValue(Dhcp6Status status) => [(byte)((int)status >> 8), (byte)status, .. "text"u8];

    private static byte[] Bytes(string address)
    {
        var bytes = new byte[16];
        IpAddress.Parse(address).CopyTo16(bytes);
        return bytes;
    }

    private static byte[] Number(uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }
}
