using System.Text;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Links;

/// <summary>struct sockaddr_un with a path, and the calls that take one.</summary>
internal readonly unsafe struct UnixAddress
{
    private const int PathAt = 2;

    private readonly byte[] _bytes;

    /// <exception cref="LinkListenException">The path is empty or longer than the kernel allows.</exception>
    public UnixAddress(string path)
    {
        var length = Encoding.UTF8.GetByteCount(path);
        if (length is 0 or > UnixPathMax)
            throw new LinkListenException($"The link path '{path}' has {length} bytes; 1 to {UnixPathMax} are allowed. Choose another with --link.");
        _bytes = new byte[PathAt + length + 1];
        _bytes[0] = AF_UNIX;
        Encoding.UTF8.GetBytes(path, _bytes.AsSpan(PathAt));
    }

    /// <summary>0 or an errno.</summary>
    public int Bind(int descriptor)
    {
        fixed (byte* address = _bytes)
            return bind(descriptor, address, (uint)_bytes.Length) == 0 ? 0 : Errno;
    }

    /// <summary>0 or an errno.</summary>
    public int Connect(int descriptor)
    {
        fixed (byte* address = _bytes)
            return connect(descriptor, address, (uint)_bytes.Length) == 0 ? 0 : Errno;
    }
}
