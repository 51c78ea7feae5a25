using Akka.Event;
using Tapwire.Stack;
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

/// <summary>DriverActor → StackActor: the longest IP packets of an interface are these, in bytes; more than its options have counts as that. Answered by <see cref="AddressAnswer"/>.</summary>
public sealed record LimitMtu(string Interface, int Mtu);
