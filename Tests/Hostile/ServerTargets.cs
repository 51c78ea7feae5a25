using Tapwire.Names;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Dhcp.Server;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Wires.Qemu;
using static Tapwire.Tests.Hostile.HostileException;

namespace Tapwire.Tests.Hostile;

/// <summary>What stations of a wire send that is served: questions by DHCP of both families and for names, and a virtual machine's frames.</summary>
internal static class ServerTargets
{
    private static readonly MacAddress Hardware = MacAddress.Parse("02:00:00:00:00:02");
    private static readonly byte[] Duid = Dhcp6.DuidOf(Hardware);
    private static readonly IpAddress[] Addresses = [IpAddress.Parse("192.0.2.1"), IpAddress.Parse("2001:db8::1")];
    private static readonly Dhcp6Responder Responder = new(Duid, [Addresses[1]], ["lan.test"]);

    public static byte[][] DhcpSeeds =>
    [
        .. Enum.GetValues<DhcpMessageType>().Select(static type => new DhcpMessage
        {
            Type = type, Transaction = 1, Hardware = Hardware, ClientIdentifier = Duid, HostName = "box", RequestedAddress = IpAddress.Parse("192.0.2.9"), Server = Addresses[0], MaximumSize = 1500,
        }.Emit()),
    ];

    public static byte[][] Dhcp6Seeds =>
    [
        new Dhcp6Message { Type = Dhcp6MessageType.InformationRequest, Transaction = 1, Client = Duid }.Emit(),
        new Dhcp6Message { Type = Dhcp6MessageType.InformationRequest, Transaction = 1, Client = Duid, Server = Duid, Association = 1 }.Emit(),
    ];

    public static byte[][] NameSeeds =>
    [
        .. ((string[])["www.example.org", "1.2.0.192.in-addr.arpa", "a"]).SelectMany(static text => new[] { DnsType.A, DnsType.Pointer }.Select(type =>
            DnsQuery.Write(1, DnsName.TryParse(text, out var name) ? name : DnsName.Root, type, hasOptions: true, null))),
    ];

    public static byte[][] FrameSeeds => [[0, 0, 0, 14, .. new byte[14], 0, 0, 0, 20, .. new byte[20]], [0, 0, 0, 0], [0, 1, 16, 0], [255, 255, 255, 255, 1]];

    /// <summary>A server answers within bounds, or not at all.</summary>
    public static void Dhcp(Span<byte> input)
    {
        var server = new DhcpServer(new DhcpServerOptions { Address = new IpPrefix(Addresses[0], 24), NameServers = [Addresses[0]], Domains = ["lan.test"], Secret = new byte[DhcpServerOptions.SecretLength] });
        server.Receive(input, Instant.Zero);
        while (server.TryDequeue(out var next))
            Require(next is not DhcpServerSend send || send.Message.Length is >= DhcpMessage.LeastLength and <= DhcpMessage.MaxLength, "An answer of the DHCP server is out of bounds.");
    }

    public static void Dhcp6Questions(Span<byte> input) => Require(Responder.Receive(input) is not { } answer || Dhcp6Options.AreWellFormed(answer.AsSpan(Dhcp6.HeaderLength)), "An answer of the DHCPv6 server is malformed.");

    /// <summary>The answer to what is a question can be read.</summary>
    public static void Names(Span<byte> input)
    {
        if (DnsRequest.TryParse(input, out var request, out _))
            Require(DnsMessage.TryParse(request.Answer(LookupResult.Found, Addresses, "www.example.org", isStream: true), out var answer) && answer.IsResponse, "An answer to a question for a name cannot be read.");
    }

    /// <summary>However the bytes are cut, the frames are the same.</summary>
    public static void Frames(Span<byte> input)
    {
        var (whole, cut) = (new FrameReader(), new FrameReader());
        input.CopyTo(whole.Room);
        whole.Filled(input.Length);
        var fed = 0;
        while (true)
        {
            var state = whole.TryTake(out var frame);
            FrameStreamState other;
            ReadOnlySpan<byte> same;
            while ((other = cut.TryTake(out same)) == FrameStreamState.Incomplete && fed < input.Length)
            {
                cut.Room[0] = input[fed++];
                cut.Filled(1);
            }

            Require(other == state && same.SequenceEqual(frame), "Frames differ by how they were cut.");
            if (state != FrameStreamState.Frame)
                return;
        }
    }
}
