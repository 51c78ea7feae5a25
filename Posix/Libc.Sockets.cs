using System.Runtime.InteropServices;

namespace Tapwire.Posix;

internal static unsafe partial class Libc
{
    public const int AF_UNIX = 1;

    public const int SOCK_STREAM = 1;
    public const int SOCK_SEQPACKET = 5;
    public const int SOCK_NONBLOCK = O_NONBLOCK;
    public const int SOCK_CLOEXEC = O_CLOEXEC;

    public const int SOL_SOCKET = 1;
    public const int SO_TYPE = 3;
    public const int SO_ERROR = 4;
    public const int SO_SNDBUF = 7;
    public const int SO_RCVBUF = 8;
    public const int SO_OOBINLINE = 10;
    public const int SO_PEERCRED = 17;
    public const int SO_ACCEPTCONN = 30;
    public const int SO_DOMAIN = 39;
    public const int SO_COOKIE = 57;

    public const int SCM_RIGHTS = 1;

    public const int SHUT_RD = 0;
    public const int SHUT_WR = 1;
    public const int SHUT_RDWR = 2;

    public const int MSG_PEEK = 0x2;
    public const int MSG_TRUNC = 0x20;
    public const int MSG_DONTWAIT = 0x40;
    public const int MSG_NOSIGNAL = 0x4000;
    public const int MSG_CMSG_CLOEXEC = 0x40000000;

    public const short POLLERR = 0x8;
    public const short POLLHUP = 0x10;
    public const short POLLRDHUP = 0x2000;

    /// <summary>The number of unread bytes in a socket's receive queue.</summary>
    public const nuint FIONREAD = 0x541B;

    public const int LOCK_EX = 2;
    public const int LOCK_NB = 4;

    public const int AT_FDCWD = -100;
    public const int AT_SYMLINK_NOFOLLOW = 0x100;
    public const uint STATX_BASIC_STATS = 0x7FF;

    /// <summary>Longest path of an AF_UNIX socket, without the terminating zero.</summary>
    public const int UnixPathMax = 107;

    /// <summary>Bytes of a control message that carries one descriptor: CMSG_SPACE(sizeof(int)).</summary>
    private const int OneDescriptorSpace = 24;

    /// <summary>Room to receive one descriptor and no other: CMSG_LEN(sizeof(int)). CMSG_SPACE is padded, and the kernel puts a second one into the padding.</summary>
    private const int OneDescriptorLength = 20;

    /// <summary>struct msghdr on 64-bit Linux.</summary>
    public struct MessageHeader
    {
        public void* Name;
        public uint NameLength;
        public IoVector* Vectors;
        public nuint VectorCount;
        public void* Control;
        public nuint ControlLength;
        public int Flags;
    }

    /// <summary>struct cmsghdr on 64-bit Linux with one descriptor after it.</summary>
    [StructLayout(LayoutKind.Sequential, Size = OneDescriptorSpace)]
    public struct DescriptorMessage
    {
        public nuint Length;
        public int Level;
        public int Type;
        public int Descriptor;
    }

    /// <summary>struct ucred.</summary>
    public struct Credentials
    {
        public int ProcessId;
        public uint UserId;
        public uint GroupId;
    }

    /// <summary>The fields of struct statx that are used. Its layout is the same on all architectures.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    public struct FileStatistics
    {
        [FieldOffset(20)]
        public uint UserId;

        [FieldOffset(24)]
        public uint GroupId;

        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(136)]
        public uint DeviceMajor;

        [FieldOffset(140)]
        public uint DeviceMinor;
    }

    [LibraryImport("libc", SetLastError = true)]
    public static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int socketpair(int family, int type, int protocol, int* descriptors);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int bind(int descriptor, void* address, uint length);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int listen(int descriptor, int backlog);

    /// <summary>EALREADY may also mean that a signal has interrupted the first call: the connect goes on.</summary>
    public static int connect(int descriptor, void* address, uint length)
    {
        int result;
        do
            result = ConnectOnce(descriptor, address, length);
        while (IsInterrupted(result));
        return result;
    }

    public static int accept4(int descriptor, void* address, uint* length, int flags)
    {
        int result;
        do
            result = AcceptOnce(descriptor, address, length, flags);
        while (IsInterrupted(result));
        return result;
    }

    [LibraryImport("libc", SetLastError = true)]
    public static partial int shutdown(int descriptor, int how);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int getsockopt(int descriptor, int level, int name, void* value, uint* length);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int setsockopt(int descriptor, int level, int name, void* value, uint length);

    public static nint recv(int descriptor, void* buffer, nuint count, int flags)
    {
        nint result;
        do
            result = ReceiveOnce(descriptor, buffer, count, flags);
        while (IsInterrupted(result));
        return result;
    }

    public static nint send(int descriptor, void* buffer, nuint count, int flags)
    {
        nint result;
        do
            result = SendOnce(descriptor, buffer, count, flags);
        while (IsInterrupted(result));
        return result;
    }

    public static nint recvmsg(int descriptor, MessageHeader* message, int flags)
    {
        nint result;
        do
            result = ReceiveMessageOnce(descriptor, message, flags);
        while (IsInterrupted(result));
        return result;
    }

    public static nint sendmsg(int descriptor, MessageHeader* message, int flags)
    {
        nint result;
        do
            result = SendMessageOnce(descriptor, message, flags);
        while (IsInterrupted(result));
        return result;
    }

    [LibraryImport("libc")]
    public static partial uint geteuid();

    [LibraryImport("libc")]
    public static partial uint getuid();

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int mkdir(string path, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int fchmod(int descriptor, uint mode);

    public static int flock(int descriptor, int operation)
    {
        int result;
        do
            result = LockOnce(descriptor, operation);
        while (IsInterrupted(result));
        return result;
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int statx(int directory, string path, int flags, uint mask, out FileStatistics status);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int unlink(string path);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int chmod(string path, uint mode);

    /// <summary>Fills in a control message that carries one descriptor.</summary>
    public static void PutDescriptor(ref MessageHeader message, DescriptorMessage* control, int descriptor)
    {
        *control = new DescriptorMessage
        {
            Length = (nuint)(sizeof(nuint) + 3 * sizeof(int)),
            Level = SOL_SOCKET,
            Type = SCM_RIGHTS,
            Descriptor = descriptor,
        };
        message.Control = control;
        message.ControlLength = OneDescriptorSpace;
    }

    /// <summary>recvmsg(2) for bytes and the one descriptor that may come with them.</summary>
    /// <param name="passed">The descriptor, close-on-exec, which the caller owns; -1 if none came.</param>
    public static nint ReceiveDescriptor(int socket, byte* buffer, int length, int flags, out int passed)
    {
        var vector = new IoVector { Base = buffer, Length = (nuint)length };
        DescriptorMessage control = default;
        var message = new MessageHeader { Vectors = &vector, VectorCount = 1, Control = &control, ControlLength = OneDescriptorLength };
        var read = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
        passed = read > 0 && message.ControlLength > 0 && control is { Level: SOL_SOCKET, Type: SCM_RIGHTS } ? control.Descriptor : -1;
        return read;
    }

    [LibraryImport("libc", EntryPoint = "connect", SetLastError = true)]
    private static partial int ConnectOnce(int descriptor, void* address, uint length);

    [LibraryImport("libc", EntryPoint = "accept4", SetLastError = true)]
    private static partial int AcceptOnce(int descriptor, void* address, uint* length, int flags);

    [LibraryImport("libc", EntryPoint = "recv", SetLastError = true)]
    private static partial nint ReceiveOnce(int descriptor, void* buffer, nuint count, int flags);

    [LibraryImport("libc", EntryPoint = "send", SetLastError = true)]
    private static partial nint SendOnce(int descriptor, void* buffer, nuint count, int flags);

    [LibraryImport("libc", EntryPoint = "recvmsg", SetLastError = true)]
    private static partial nint ReceiveMessageOnce(int descriptor, MessageHeader* message, int flags);

    [LibraryImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    private static partial nint SendMessageOnce(int descriptor, MessageHeader* message, int flags);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int LockOnce(int descriptor, int operation);
}
