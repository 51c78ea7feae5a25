using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text;
using Tapwire.Stack.Interfaces;
using static Tapwire.Posix.Libc;

namespace Tapwire.Posix;

/// <summary>The settings of one network interface of the network namespace that the creating thread is in (netdevice(7)).</summary>
internal sealed unsafe class InterfaceControl : IDisposable
{
    /// <summary>The longest name of an interface, in bytes (IFNAMSIZ without the final zero).</summary>
    public const int MaxNameLength = 15;

    private const int IFF_UP = 1;
    private const nuint SIOCGIFFLAGS = 0x8913;
    private const nuint SIOCSIFFLAGS = 0x8914;
    private const nuint SIOCGIFMTU = 0x8921;
    private const nuint SIOCSIFMTU = 0x8922;
    private const nuint SIOCGIFHWADDR = 0x8927;
    private const nuint SIOCGIFINDEX = 0x8933;
    private const nuint SIOCGIFTXQLEN = 0x8942;
    private const nuint SIOCSIFTXQLEN = 0x8943;

    // Any socket gives access to the interfaces of its namespace; this family exists in every kernel.
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly string _name;

    public InterfaceControl(string name) => _name = name;

    /// <summary>struct ifreq: a name and a union.</summary>
    public struct Request
    {
        private fixed byte _name[16];
        private fixed byte _value[24];

        public Request(string name)
        {
            this = default;
            fixed (byte* bytes = _name)
                Encoding.UTF8.GetBytes(name, new Span<byte>(bytes, MaxNameLength));
        }

        public readonly string Name
        {
            get
            {
                fixed (byte* bytes = _name)
                    return Encoding.UTF8.GetString(new ReadOnlySpan<byte>(bytes, MaxNameLength + 1).Slice(0, Terminated(bytes)));
            }
        }

        public short Flags
        {
            readonly get => Unsafe.As<byte, short>(ref Unsafe.AsRef(in _value[0]));
            set => Unsafe.As<byte, short>(ref _value[0]) = value;
        }

        public int Integer
        {
            readonly get => Unsafe.As<byte, int>(ref Unsafe.AsRef(in _value[0]));
            set => Unsafe.As<byte, int>(ref _value[0]) = value;
        }

        /// <summary>The six bytes after the family of a struct sockaddr.</summary>
        public readonly MacAddress HardwareAddress
        {
            get
            {
                fixed (byte* value = _value)
                    return MacAddress.FromBytes(new ReadOnlySpan<byte>(value + 2, 6));
            }
        }

        private static int Terminated(byte* bytes)
        {
            var length = 0;
            while (length <= MaxNameLength && bytes[length] != 0)
                length++;
            return length;
        }
    }

    public bool IsUp => (Call(SIOCGIFFLAGS, "reading the flags").Flags & IFF_UP) != 0;

    public int Index => Call(SIOCGIFINDEX, "reading the index").Integer;

    public int Mtu => Call(SIOCGIFMTU, "reading the MTU").Integer;

    public MacAddress HardwareAddress => Call(SIOCGIFHWADDR, "reading the hardware address").HardwareAddress;

    /// <summary>Frames that wait for whoever reads the device.</summary>
    public int QueueLength => Call(SIOCGIFTXQLEN, "reading the length of the queue").Integer;

    public void SetQueueLength(int frames)
    {
        var request = new Request(_name) { Integer = frames };
        Call(SIOCSIFTXQLEN, $"setting the length of the queue to {frames}", ref request);
    }

    public void SetUp()
    {
        var request = Call(SIOCGIFFLAGS, "reading the flags");
        request.Flags |= IFF_UP;
        Call(SIOCSIFFLAGS, "bringing up the link", ref request);
    }

    public void SetMtu(int mtu)
    {
        var request = new Request(_name) { Integer = mtu };
        Call(SIOCSIFMTU, $"setting the MTU to {mtu}", ref request);
    }

    public void Dispose() => _socket.Dispose();

    private Request Call(nuint operation, string what)
    {
        var request = new Request(_name);
        Call(operation, what, ref request);
        return request;
    }

    private void Call(nuint operation, string what, ref Request request)
    {
        fixed (Request* argument = &request)
            Errors.Check(ioctl((int)_socket.Handle, operation, argument), $"{_name}: {what}");
    }
}
