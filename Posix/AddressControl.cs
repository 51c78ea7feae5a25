using System.Runtime.InteropServices;
using Tapwire.Stack.Ip;
using static Tapwire.Posix.Libc;

namespace Tapwire.Posix;

/// <summary>The addresses of one network interface of the network namespace that the calling thread is in (rtnetlink(7)).</summary>
internal static unsafe class AddressControl
{
    private const int AF_INET = 2;
    private const int AF_INET6 = 10;
    private const int AF_NETLINK = 16;
    private const int SOCK_RAW = 3;
    private const int NETLINK_ROUTE = 0;

    private const ushort RTM_NEWADDR = 20;
    private const ushort RTM_GETADDR = 22;
    private const ushort NLMSG_ERROR = 2;
    private const ushort NLMSG_DONE = 3;
    private const ushort NLM_F_REQUEST = 0x1;
    private const ushort NLM_F_ACK = 0x4;
    private const ushort NLM_F_DUMP = 0x300;
    private const ushort NLM_F_EXCL = 0x200;
    private const ushort NLM_F_CREATE = 0x400;
    private const byte IFA_F_NODAD = 2;
    private const ushort IFA_ADDRESS = 1;
    private const ushort IFA_LOCAL = 2;

    // A request: nlmsghdr, ifaddrmsg, and two attributes of at most 16 bytes, each with its own header.
    private const int MessageHeader = 16;
    private const int AddressHeader = 8;
    private const int AttributeHeader = 4;
    private const int LongestRequest = MessageHeader + AddressHeader + 2 * (AttributeHeader + 16);

    // The largest buffer that the kernel fills when it lists addresses.
    private const int LargestAnswer = 32768;

    /// <summary>Adds an address, unless the interface has it already.</summary>
    /// <param name="index">The interface's index.</param>
    /// <exception cref="PosixException">The kernel refuses it.</exception>
    public static void Add(string name, int index, IpPrefix address)
    {
        Span<byte> bytes = stackalloc byte[address.Address.Length];
        address.Address.CopyTo(bytes);
        var request = new byte[LongestRequest];
        var length = Begin(request, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, address, index);
        length = Append(request, length, IFA_LOCAL, bytes);
        length = Append(request, length, IFA_ADDRESS, bytes);
        var errno = 0;
        Ask(request.AsSpan(0, length), (type, body) =>
        {
            if (type == NLMSG_ERROR)
                errno = -MemoryMarshal.Read<int>(body);
            return type == NLMSG_ERROR;
        });
        if (errno is not 0 and not Errors.EEXIST)
            throw Errors.Exception($"{name}: adding the address {address}", errno);
    }

    /// <summary>Whether the interface has the address, with this prefix length.</summary>
    /// <exception cref="PosixException">The kernel does not say.</exception>
    public static bool Has(int index, IpPrefix address)
    {
        var request = new byte[LongestRequest];
        var length = Begin(request, RTM_GETADDR, NLM_F_DUMP, address, 0);
        var found = false;
        Ask(request.AsSpan(0, length), (type, body) =>
        {
            found |= type == RTM_NEWADDR && Is(body, index, address);
            return type is NLMSG_DONE or NLMSG_ERROR;
        });
        return found;
    }

    /// <summary>Handles one message of an answer. True: it is the last.</summary>
    private delegate bool Taker(ushort type, ReadOnlySpan<byte> body);

    private static int FamilyOf(IpPrefix address) => address.Address.IsV4 ? AF_INET : AF_INET6;

    /// <returns>The length so far.</returns>
    private static int Begin(Span<byte> request, ushort type, int flags, IpPrefix address, int index)
    {
        MemoryMarshal.Write(request[4..], type);
        MemoryMarshal.Write(request[6..], (ushort)(NLM_F_REQUEST | flags));
        var header = request[MessageHeader..];
        header[0] = (byte)FamilyOf(address);
        header[1] = (byte)address.Length;
        // Who is at the other end of the device is this program, so that nobody needs to be asked for a second whether he has the address.
        header[2] = type == RTM_NEWADDR && address.Address.IsV6 ? IFA_F_NODAD : (byte)0;
        MemoryMarshal.Write(header[4..], index);
        return MessageHeader + AddressHeader;
    }

    /// <returns>The length with it. That of an address is a multiple of four, so that nothing is padded.</returns>
    private static int Append(Span<byte> request, int length, ushort type, ReadOnlySpan<byte> value)
    {
        MemoryMarshal.Write(request[length..], (ushort)(AttributeHeader + value.Length));
        MemoryMarshal.Write(request[(length + 2)..], type);
        value.CopyTo(request[(length + AttributeHeader)..]);
        return length + AttributeHeader + value.Length;
    }

    private static void Ask(Span<byte> request, Taker take)
    {
        MemoryMarshal.Write(request, request.Length);
        var descriptor = Errors.Check(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "netlink socket");
        try
        {
            fixed (byte* start = request)
                _ = Errors.Check((int)send(descriptor, start, (nuint)request.Length, 0), "netlink request");
            var answer = new byte[LargestAnswer];
            var isLast = false;
            while (!isLast)
                isLast = Take(answer.AsSpan(0, Receive(descriptor, answer)), take);
        }
        finally
        {
            Close(descriptor);
        }
    }

    private static int Receive(int descriptor, Span<byte> answer)
    {
        fixed (byte* start = answer)
            return Errors.Check((int)recv(descriptor, start, (nuint)answer.Length, 0), "netlink answer");
    }

    private static bool Take(ReadOnlySpan<byte> answer, Taker take)
    {
        while (answer.Length >= MessageHeader)
        {
            var length = MemoryMarshal.Read<int>(answer);
            if (length < MessageHeader || length > answer.Length)
                throw new PosixException("netlink answer", Errors.EINVAL);
            if (take(MemoryMarshal.Read<ushort>(answer[4..]), answer[MessageHeader..length]))
                return true;
            answer = answer[Math.Min(Aligned(length), answer.Length)..];
        }

        return false;
    }

    /// <summary>Whether a message about an address is about this one.</summary>
    private static bool Is(ReadOnlySpan<byte> body, int index, IpPrefix address)
    {
        if (body.Length < AddressHeader || body[0] != FamilyOf(address) || body[1] != address.Length || MemoryMarshal.Read<int>(body[4..]) != index)
            return false;
        for (var attributes = body[AddressHeader..]; attributes.Length >= AttributeHeader;)
        {
            int length = MemoryMarshal.Read<ushort>(attributes);
            if (length < AttributeHeader || length > attributes.Length)
                return false;
            var type = MemoryMarshal.Read<ushort>(attributes[2..]);
            var value = attributes[AttributeHeader..length];
            // A point-to-point link's IFA_ADDRESS is the other end's; IPv6 has no IFA_LOCAL unless it is one.
            if (type is IFA_LOCAL or IFA_ADDRESS && value.Length == address.Address.Length && IpAddress.FromBytes(value) == address.Address)
                return true;
            attributes = attributes[Math.Min(Aligned(length), attributes.Length)..];
        }

        return false;
    }

    private static int Aligned(int length) => (length + 3) & ~3;
}
