using System.Buffers.Binary;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Stack.Dhcp.V6;
using Tapwire.Tests.Support;

namespace Tapwire.Tests.Actors.Dhcp;

/// <summary>A router and DHCPv6 server on the peer's end of a wire, frame by frame.</summary>
internal sealed class Dhcp6Server(Peer peer)
{
    private const int Headers = 14 + 40 + 8;

    private static readonly MacAddress Hardware = MacAddress.Parse("02:00:00:00:00:01");
    private static readonly IpAddress Link = IpAddress.Parse("fe80::1");

    /// <summary>Messages of the client so far, with the addresses that they name.</summary>
    public List<(Dhcp6MessageType Type, string Addresses)> Seen { get; } = [];

    public string Address { get; set; } = "fd00::50";

    public uint Valid { get; set; } = 7200;

    public uint Preferred { get; set; } = 3600;

    /// <summary>It hears, and says nothing.</summary>
    public bool IsSilent { get; set; }

    /// <summary>What it says to an attempt to confirm.</summary>
    public Dhcp6Status Confirms { get; set; } = Dhcp6Status.Success;

    /// <summary>The flags of its advertisements: 0x80 M, 0x40 O; null: it is no router.</summary>
    public byte? RouterFlags { get; set; }

    /// <summary>The flags of the advertised prefix: 0x80 it is on the link, 0x40 it is for addresses.</summary>
    public byte PrefixFlags { get; set; } = 0x80;

    /// <summary>How long the prefix is valid, in seconds; it is preferred for half of that.</summary>
    public ushort PrefixLifetime { get; set; } = 8192;

    /// <summary>Looks at a frame on the wire.</summary>
    /// <returns>True: it is for the server.</returns>
    public bool Takes(byte[] frame)
    {
        if (frame.Length > 54 && frame[12] == 0x86 && frame[20] == IpProtocol.Icmpv6 && frame[54] == Icmpv6Type.RouterSolicitation && RouterFlags is not null)
            Advertise();
        if (frame.Length < Headers + 4 || frame[12] != 0x86 || frame[13] != 0xDD || frame[20] != IpProtocol.Udp || BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(56)) != Dhcp6.ServerPort)
            return false;
        var message = frame.AsSpan(Headers);
        var options = Dhcp6Reply.Read(message[4..]);
        var addresses = options.TryGetValue(Dhcp6Option.NonTemporaryAddresses, out var association) ? Dhcp6Reply.AddressesIn(association) : [];
        Seen.Add(((Dhcp6MessageType)message[0], string.Join(' ', addresses)));
        if (!IsSilent)
            Answer(message, options, IpAddress.FromBytes(frame.AsSpan(22, 16)), MacAddress.FromBytes(frame.AsSpan(6)));
        return true;
    }

    /// <summary>A router advertisement with these flags, and the prefix of its network.</summary>
    public void Advertise()
    {
        byte[] rest =
        [
            0, 0, 0, 0, 0, 0, 0, 0,
            3, 4, 64, PrefixFlags, 0, 0, (byte)(PrefixLifetime >> 8), (byte)PrefixLifetime, 0, 0, (byte)(PrefixLifetime >> 9), (byte)(PrefixLifetime >> 1), 0, 0, 0, 0, 0xFD, 0, .. new byte[14],
        ];
        var frame = BuildV6.Icmp(new Icmpv6Header(Icmpv6Type.RouterAdvertisement, 0, 64u << 24 | (uint)RouterFlags!.Value << 16 | 1800), rest, Link, IpAddress.AllNodes, 255);
        Hardware.CopyTo(frame.AsSpan(6));
        peer.Wire.Deliver(frame);
    }

    private void Answer(ReadOnlySpan<byte> message, Dictionary<Dhcp6Option, byte[]> options, IpAddress client, MacAddress station)
    {
        var type = (Dhcp6MessageType)message[0];
        var answer = new Dhcp6Reply(type == Dhcp6MessageType.Solicit ? Dhcp6MessageType.Advertise : Dhcp6MessageType.Reply, BinaryPrimitives.ReadUInt32BigEndian(message) & 0xFF_FFFF, options[Dhcp6Option.ClientIdentifier]);
        if (type is Dhcp6MessageType.Solicit or Dhcp6MessageType.Request or Dhcp6MessageType.Renew or Dhcp6MessageType.Rebind)
        {
            var association = BinaryPrimitives.ReadUInt32BigEndian(options[Dhcp6Option.NonTemporaryAddresses]);
            answer.With(Dhcp6Option.NonTemporaryAddresses, Dhcp6Reply.Ia(association, 0, 0, Dhcp6Reply.Address(Address, Preferred, Valid)));
        }

        if (type == Dhcp6MessageType.Confirm)
            answer.Status(Confirms);
        else
            answer.With(Dhcp6Option.NameServers, Dhcp6Reply.Addresses("fd00::53")).With(Dhcp6Option.DomainSearch, [7, .. "example"u8, 3, .. "org"u8, 0]);
        var bytes = answer.ToArray();
        var datagram = new byte[UdpHeader.Length + bytes.Length];
        new UdpHeader(Dhcp6.ServerPort, Dhcp6.ClientPort, (ushort)bytes.Length).Emit(datagram);
        bytes.CopyTo(datagram, UdpHeader.Length);
        var frame = BuildV6.Packet(IpProtocol.Udp, BuildV6.Transport(IpProtocol.Udp, datagram, UdpHeader.ChecksumOffset, Link, client), Link, client, station);
        Hardware.CopyTo(frame.AsSpan(6));
        peer.Wire.Deliver(frame);
    }
}
