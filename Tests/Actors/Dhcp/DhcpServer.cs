using System.Buffers.Binary;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Actors.Support;
using Tapwire.Tests.Stack.Dhcp;

namespace Tapwire.Tests.Actors.Dhcp;

/// <summary>A DHCP server on the peer's end of a wire, frame by frame: it sees what the peer's stack would not take, as packets from 0.0.0.0.</summary>
internal sealed class DhcpServer(Peer peer)
{
    private static readonly MacAddress Hardware = MacAddress.Parse("02:00:00:00:00:01");

    /// <summary>Messages of the client so far: the kind, the sender's address, and the address that it asks for or has.</summary>
    public List<(DhcpMessageType Type, string From, string Address)> Seen { get; } = [];

    public string Address { get; set; } = "10.99.0.2";

    public uint Seconds { get; set; } = 3600;

    /// <summary>It hears, and says nothing.</summary>
    public bool IsSilent { get; set; }

    /// <summary>Requests are refused.</summary>
    public bool Refuses { get; set; }

    /// <summary>Answers are sent to the address that is given, and not to all.</summary>
    public bool AnswersToAddress { get; set; }

    /// <summary>What it adds to an answer.</summary>
    public Func<DhcpReply, DhcpReply> Adds { get; set; } = static reply => reply
        .With(DhcpOption.Router, "10.99.0.1").With(DhcpOption.DomainNameServer, "10.99.0.1").With(DhcpOption.DomainName, "example.org"u8.ToArray());

    /// <summary>Looks at a frame on the wire.</summary>
    /// <returns>True: it is for the server.</returns>
    public bool Takes(byte[] frame)
    {
        if (frame.Length < 14 + 20 + 8 + DhcpMessage.OptionsOffset || frame[12] != 8 || frame[13] != 0 || frame[23] != IpProtocol.Udp || BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(36)) != DhcpMessage.ServerPort)
            return false;
        var message = frame.AsSpan(42);
        var options = new Dictionary<DhcpOption, byte[]>();
        for (var i = DhcpMessage.OptionsOffset; message[i] != 255; i += 2 + message[i + 1])
            options[(DhcpOption)message[i]] = message.Slice(i + 2, message[i + 1]).ToArray();
        var type = (DhcpMessageType)options[DhcpOption.MessageType][0];
        var client = IpAddress.FromBytes(message.Slice(12, 4));
        var asked = client.IsUnspecified ? options.TryGetValue(DhcpOption.RequestedAddress, out var wanted) ? IpAddress.FromBytes(wanted) : client : client;
        Seen.Add((type, IpAddress.FromBytes(frame.AsSpan(26, 4)).ToString(), asked.ToString()));
        if (!IsSilent && type is DhcpMessageType.Discover or DhcpMessageType.Request)
            Answer(type, BinaryPrimitives.ReadUInt32BigEndian(message[4..]), MacAddress.FromBytes(message[28..]));
        return true;
    }

    /// <summary>Sends a message to the client's port, by a frame to its station.</summary>
    public void Send(byte[] message, MacAddress station, IpAddress destination, ushort port = DhcpMessage.ClientPort)
    {
        var frame = new byte[14 + 20 + 8 + message.Length];
        new EthernetHeader(destination.IsLimitedBroadcast ? MacAddress.Broadcast : station, Hardware, EtherType.Ipv4).Emit(frame);
        new Ipv4Header { Source = Peer.Address, Destination = destination, Protocol = IpProtocol.Udp, HopLimit = 64, PayloadLength = (ushort)(8 + message.Length) }.Emit(frame.AsSpan(14));
        new UdpHeader(DhcpMessage.ServerPort, port, (ushort)message.Length).Emit(frame.AsSpan(34));
        message.CopyTo(frame, 42);
        peer.Wire.Deliver(frame);
    }

    private void Answer(DhcpMessageType type, uint transaction, MacAddress client)
    {
        var reply = type == DhcpMessageType.Request && Refuses
            ? new DhcpReply(DhcpMessageType.Nak, transaction, client).With(DhcpOption.ServerIdentifier, "10.99.0.1")
            : Adds(DhcpReply.Lease(type == DhcpMessageType.Discover ? DhcpMessageType.Offer : DhcpMessageType.Ack, transaction, client, Address, "10.99.0.1", Seconds));
        Send(reply.ToArray(), client, AnswersToAddress ? IpAddress.Parse(Address) : IpAddress.BroadcastV4);
    }
}
