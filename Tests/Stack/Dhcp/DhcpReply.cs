using System.Buffers.Binary;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Tests.Stack.Dhcp;

/// <summary>A server's message, byte by byte: what is not set is right.</summary>
internal sealed class DhcpReply
{
    private readonly byte[] _head = new byte[DhcpMessage.OptionsOffset];
    private readonly List<byte> _options = [];

    public DhcpReply(DhcpMessageType type, uint transaction, MacAddress hardware)
    {
        _head[0] = 2;
        _head[1] = 1;
        _head[2] = 6;
        BinaryPrimitives.WriteUInt32BigEndian(_head.AsSpan(4), transaction);
        hardware.CopyTo(_head.AsSpan(28));
        BinaryPrimitives.WriteUInt32BigEndian(_head.AsSpan(236), 0x6382_5363);
        With(DhcpOption.MessageType, (byte)type);
    }

    public bool HasEnd { get; set; } = true;

    /// <summary>What every lease has: 192.0.2.50/24 from 192.0.2.1 for an hour.</summary>
    public static DhcpReply Lease(DhcpMessageType type, uint transaction, MacAddress hardware, string address = "192.0.2.50", string server = "192.0.2.1", uint seconds = 3600) =>
        new DhcpReply(type, transaction, hardware).Yours(address).With(DhcpOption.ServerIdentifier, server).With(DhcpOption.SubnetMask, "255.255.255.0").With32(DhcpOption.LeaseTime, seconds);

    public DhcpReply Yours(string address)
    {
        IpAddress.Parse(address).CopyTo(_head.AsSpan(16));
        return this;
    }

    public DhcpReply At(int offset, params byte[] bytes)
    {
        bytes.CopyTo(_head, offset);
        return this;
    }

    public DhcpReply With(DhcpOption option, params byte[] value)
    {
        _options.AddRange([(byte)option, (byte)value.Length, .. value]);
        return this;
    }

    public DhcpReply With32(DhcpOption option, uint value)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return With(option, bytes);
    }

    /// <param name="addresses">Separated by blanks.</param>
    public DhcpReply With(DhcpOption option, string addresses) => With(option, Addresses(addresses));

    /// <summary>The same option again takes the place of the earlier one.</summary>
    public DhcpReply Instead(DhcpOption option, params byte[] value)
    {
        Without(option);
        return With(option, value);
    }

    public DhcpReply Without(DhcpOption option)
    {
        for (var i = 0; i < _options.Count; i += 2 + _options[i + 1])
        {
            if (_options[i] == (byte)option)
            {
                _options.RemoveRange(i, 2 + _options[i + 1]);
                break;
            }
        }

        return this;
    }

    public DhcpReply Raw(params byte[] bytes)
    {
        _options.AddRange(bytes);
        return this;
    }

    public static byte[] Addresses(string addresses) => [.. addresses.Split(' ').SelectMany(static text =>
    {
        var bytes = new byte[4];
        IpAddress.Parse(text).CopyTo(bytes);
        return bytes;
    })];

    public byte[] ToArray() => [.. _head, .. _options, .. (byte[])(HasEnd ? [255] : [])];
}
