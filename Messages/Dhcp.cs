using Akka.Event;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp.Server;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Messages;

/// <summary>
/// DhcpActor → StackActor of the first shard: open port 68 of an interface. Answered by <see cref="DhcpOpened"/>, after which <see cref="DhcpReceived"/>,
/// <see cref="AddressHeard"/> and <see cref="DhcpWire"/> come to the sender until it says <see cref="CloseDhcp"/>, or by <see cref="DhcpOpenFailed"/>.
/// </summary>
public sealed record OpenDhcp(string Interface);

/// <summary>StackActor → DhcpActor: the port is open.</summary>
/// <param name="Hardware">The interface's Ethernet address.</param>
/// <param name="Mtu">That of the interface's options, in bytes.</param>
public sealed record DhcpOpened(MacAddress Hardware, int Mtu);

/// <summary>StackActor → DhcpActor: there is no such interface, its medium is not Ethernet, or it has a client already.</summary>
public sealed record DhcpOpenFailed(StackError Error);

/// <summary>DhcpActor → StackActor: send a message to port 67. No answer: as with every datagram, only the server's own says that it has arrived.</summary>
/// <param name="Source">0.0.0.0, or an address of the interface.</param>
/// <param name="Destination">255.255.255.255 on the interface, or a server.</param>
public sealed record SendDhcp(string Interface, ReadOnlyMemory<byte> Message, IpAddress Source, IpAddress Destination);

/// <summary>DhcpActor → StackActor: ask by ARP whether somebody has an address (RFC 5227, 2.1.1). <see cref="AddressHeard"/> comes if somebody has.</summary>
public sealed record ProbeAddress(string Interface, IpAddress Address);

/// <summary>DhcpActor → StackActor: close the port. No answer.</summary>
public sealed record CloseDhcp(string Interface);

/// <summary>StackActor → DhcpActor: a message has come to port 68.</summary>
public sealed record DhcpReceived(ReadOnlyMemory<byte> Message) : IDeadLetterSuppression;

/// <summary>StackActor → DhcpActor: a station on the link has, or wants, the address that was asked for.</summary>
public sealed record AddressHeard(IpAddress Address, MacAddress By) : IDeadLetterSuppression;

/// <summary>StackActor → DhcpActor: the interface's wire has come up, or gone.</summary>
public sealed record DhcpWire(bool IsUp) : IDeadLetterSuppression;

/// <summary>
/// Dhcp6Actor → StackActor of the first shard: open port 546 of an interface. Answered by <see cref="Dhcp6Opened"/>, after which <see cref="Dhcp6Received"/>, <see cref="DhcpWire"/>,
/// <see cref="RouterAdvised"/> and <see cref="DuplicateHeard"/> come to the sender until it says <see cref="CloseDhcp6"/>, or by <see cref="DhcpOpenFailed"/>.
/// </summary>
public sealed record OpenDhcp6(string Interface);

/// <summary>StackActor → Dhcp6Actor: the port is open.</summary>
/// <param name="Hardware">The interface's Ethernet address.</param>
/// <param name="Advice">What its routers say so far; null: it does not listen to them, and <see cref="RouterAdvised"/> does not come.</param>
public sealed record Dhcp6Opened(MacAddress Hardware, RouterAdvice? Advice);

/// <summary>Dhcp6Actor → StackActor: send a message to port 547 of all servers on the interface. No answer.</summary>
public sealed record SendDhcp6(string Interface, ReadOnlyMemory<byte> Message);

/// <summary>Dhcp6Actor → StackActor: close the port. No answer.</summary>
public sealed record CloseDhcp6(string Interface);

/// <summary>StackActor → Dhcp6Actor: a message has come to port 546.</summary>
public sealed record Dhcp6Received(ReadOnlyMemory<byte> Message, IpAddress Source) : IDeadLetterSuppression;

/// <summary>StackActor → Dhcp6Actor: the routers of the link say something else about DHCPv6 (RFC 4861, 4.2).</summary>
public sealed record RouterAdvised(RouterAdvice Advice) : IDeadLetterSuppression;

/// <summary>StackActor → Dhcp6Actor: another station has an address of the interface, which the stack has given up.</summary>
public sealed record DuplicateHeard(IpAddress Address) : IDeadLetterSuppression;

/// <summary>DriverActor → StackActor: connections begin from this address only if there is no other (RFC 4862, 5.5.4), or from any of them again. Answered by <see cref="AddressAnswer"/>.</summary>
public sealed record DeprecateAddress(IpAddress Address, bool IsDeprecated);

/// <summary>DriverActor → StackActor: the longest IP packets of an interface are these, in bytes; more than its options have counts as that. Answered by <see cref="AddressAnswer"/>.</summary>
public sealed record LimitMtu(string Interface, int Mtu);

/// <summary>
/// DhcpServerActor → StackActor of the first shard: open ports 67 and 547 of an interface. Answered by <see cref="DhcpServerOpened"/>, after which <see cref="DhcpServerReceived"/> and <see cref="Dhcp6ServerReceived"/> come
/// to the sender until it says <see cref="CloseDhcpServer"/>, or by <see cref="DhcpOpenFailed"/>.
/// </summary>
public sealed record OpenDhcpServer(string Interface);

/// <summary>StackActor → DhcpServerActor: the ports are open; that of DHCPv6 only where the interface has IPv6.</summary>
/// <param name="Hardware">The interface's Ethernet address.</param>
/// <param name="Mtu">That of the interface, in bytes.</param>
public sealed record DhcpServerOpened(MacAddress Hardware, int Mtu);

/// <summary>DhcpServerActor → StackActor: send a message to port 68. No answer.</summary>
/// <param name="Source">An address of the interface.</param>
public sealed record SendDhcpReply(string Interface, DhcpServerSend Reply, IpAddress Source);

/// <summary>DhcpServerActor → StackActor: send a message to port 546 of a station. No answer.</summary>
public sealed record SendDhcp6Reply(string Interface, ReadOnlyMemory<byte> Message, IpAddress Destination);

/// <summary>DhcpServerActor → StackActor: close the ports. No answer.</summary>
public sealed record CloseDhcpServer(string Interface);

/// <summary>StackActor → DhcpServerActor: a message has come to port 67.</summary>
public sealed record DhcpServerReceived(ReadOnlyMemory<byte> Message) : IDeadLetterSuppression;

/// <summary>StackActor → DhcpServerActor: a message has come to port 547.</summary>
public sealed record Dhcp6ServerReceived(ReadOnlyMemory<byte> Message, IpAddress Source) : IDeadLetterSuppression;
