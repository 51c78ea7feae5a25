// gVisor's netstack as Debian packages it: echo on 7, discard on 9, source on 19.
//
//	gvisor tap NAME ADDRESS      1,500-byte frames
//	gvisor tap-gso NAME ADDRESS  a vnet header and super-frames (needs the endpoint built with the overlay that the benchmark makes)
//	gvisor packet NAME ADDRESS   AF_PACKET with GSO on a device that is there, as runsc does
package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

const (
	nic           = 1
	mtu           = 1500
	gsoMax        = 65536
	chunk         = 64 << 10
	defaultBuffer = 1 << 20
	largestBuffer = 8 << 20

	// linux/if_tun.h, linux/if_packet.h
	tunFCsum             = 1
	tunFTso4             = 2
	tunFTso6             = 4
	packetIgnoreOutgoing = 23
)

var hardwareAddress = tcpip.LinkAddress([]byte{2, 0, 0, 0, 0x97, 2})

func check(what string, err any) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
}

// checkStack is check for errors of the stack, whose nil is typed.
func checkStack(what string, err tcpip.Error) {
	if err != nil {
		check(what, err.String())
	}
}

func openTap(name string, vnetHeader bool) int {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR, 0)
	check("/dev/net/tun", err)
	var request struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}
	copy(request.name[:], name)
	request.flags = unix.IFF_TAP | unix.IFF_NO_PI
	if vnetHeader {
		request.flags |= unix.IFF_VNET_HDR
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TUNSETIFF, uintptr(unsafe.Pointer(&request))); errno != 0 {
		check("TUNSETIFF", errno)
	}
	if vnetHeader {
		check("TUNSETOFFLOAD", unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, tunFCsum|tunFTso4|tunFTso6))
	}
	return fd
}

func openPacket(name string) int {
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8
	device, err := net.InterfaceByName(name)
	check(name, err)
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, all)
	check("AF_PACKET", err)
	check("PACKET_VNET_HDR", unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1))
	check("PACKET_IGNORE_OUTGOING", unix.SetsockoptInt(fd, unix.SOL_PACKET, packetIgnoreOutgoing, 1))
	for _, option := range []int{unix.SO_RCVBUFFORCE, unix.SO_SNDBUFFORCE} {
		check("buffer", unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 4<<20))
	}
	check("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: device.Index}))
	return fd
}

func openLink(kind, name string) (stack.LinkEndpoint, error) {
	options := &fdbased.Options{MTU: mtu, EthernetHeader: true, Address: hardwareAddress}
	switch kind {
	case "tap":
		options.FDs = []int{openTap(name, false)}
	case "tap-gso":
		options.FDs = []int{openTap(name, true)}
		options.GSOMaxSize, options.RXChecksumOffload = gsoMax, true
	case "packet":
		options.FDs = []int{openPacket(name)}
		options.GSOMaxSize, options.RXChecksumOffload = gsoMax, true
		options.PacketDispatchMode = fdbased.RecvMMsg
	default:
		return nil, fmt.Errorf("there is no link %q", kind)
	}
	return fdbased.New(options)
}

func newStack(link stack.LinkEndpoint, address tcpip.Address) *stack.Stack {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
		HandleLocal:        false,
	})
	sack, moderate, congestion := tcpip.TCPSACKEnabled(true), tcpip.TCPModerateReceiveBufferOption(true), tcpip.CongestionControlOption("cubic")
	// Without RACK it is faster: that walks all that is in flight with each acknowledgement.
	recovery := tcpip.TCPRecovery(0)
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4 << 10, Default: defaultBuffer, Max: largestBuffer}
	send := tcpip.TCPSendBufferSizeRangeOption{Min: 4 << 10, Default: defaultBuffer, Max: largestBuffer}
	for _, option := range []tcpip.SettableTransportProtocolOption{&sack, &moderate, &congestion, &recovery, &receive, &send} {
		checkStack("option", s.SetTransportProtocolOption(tcp.ProtocolNumber, option))
	}
	checkStack("NIC", s.CreateNIC(nic, link))
	checkStack("address", s.AddProtocolAddress(nic, tcpip.ProtocolAddress{
		Protocol:          ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: address, PrefixLen: 24},
	}, stack.AddressProperties{}))
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}})
	return s
}

type connection struct {
	endpoint tcpip.Endpoint
	queue    *waiter.Queue
}

// until repeats an operation that would block each time that it may go on, and says whether it ended well.
func (c connection) until(events waiter.EventMask, operation func() tcpip.Error) bool {
	entry, notify := waiter.NewChannelEntry(events | waiter.EventErr | waiter.EventHUp)
	c.queue.EventRegister(&entry)
	defer c.queue.EventUnregister(&entry)
	for {
		err := operation()
		if err == nil {
			return true
		}
		if _, wait := err.(*tcpip.ErrWouldBlock); !wait {
			return false
		}
		<-notify
	}
}

func (c connection) read(to io.Writer) bool {
	return c.until(waiter.ReadableEvents, func() tcpip.Error {
		_, err := c.endpoint.Read(to, tcpip.ReadOptions{})
		return err
	})
}

func (c connection) write(data []byte) bool {
	for len(data) > 0 {
		if !c.until(waiter.WritableEvents, func() tcpip.Error {
			written, err := c.endpoint.Write(bytes.NewReader(data), tcpip.WriteOptions{})
			data = data[written:]
			return err
		}) {
			return false
		}
	}
	return true
}

func echo(c connection) {
	var read bytes.Buffer
	for c.read(&read) && c.write(read.Bytes()) {
		read.Reset()
	}
}

func discard(c connection) {
	for c.read(io.Discard) {
	}
}

func source(c connection) {
	data := make([]byte, chunk)
	for c.write(data) {
	}
}

func serve(s *stack.Stack, port uint16, service func(connection)) {
	var queue waiter.Queue
	listener, err := s.NewEndpoint(tcp.ProtocolNumber, ipv4.ProtocolNumber, &queue)
	checkStack("endpoint", err)
	checkStack("bind", listener.Bind(tcpip.FullAddress{Port: port}))
	checkStack("listen", listener.Listen(4096))
	for {
		var accepted connection
		if !(connection{listener, &queue}).until(waiter.ReadableEvents, func() (err tcpip.Error) {
			accepted.endpoint, accepted.queue, err = listener.Accept(nil)
			return err
		}) {
			os.Exit(1)
		}
		accepted.endpoint.SocketOptions().SetDelayOption(false)
		go func() {
			service(accepted)
			accepted.endpoint.Close()
		}()
	}
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "gvisor tap|tap-gso|packet NAME ADDRESS")
		os.Exit(2)
	}
	link, err := openLink(os.Args[1], os.Args[2])
	check("link", err)
	s := newStack(link, tcpip.Address(net.ParseIP(os.Args[3]).To4()))
	go serve(s, 7, echo)
	go serve(s, 9, discard)
	serve(s, 19, source)
}
