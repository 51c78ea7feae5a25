using System.Text;
using static Tapwire.Posix.Libc;

namespace Tapwire.Posix;

/// <summary>struct sockaddr_un with a path, and the calls that take one.</summary>
internal readonly unsafe struct UnixAddress
{
    private const int PathAt = 2;

    private readonly byte[] _bytes;

    /// <param name="path">See <see cref="Fits"/>.</param>
    public UnixAddress(string path)
    {
        _bytes = new byte[PathAt + Encoding.UTF8.GetByteCount(path) + 1];
        _bytes[0] = AF_UNIX;
        Encoding.UTF8.GetBytes(path, _bytes.AsSpan(PathAt));
    }

    /// <summary>Whether the kernel allows a path of that length: 1 to <see cref="UnixPathMax"/> bytes.</summary>
    public static bool Fits(string path, out int length)
    {
        length = Encoding.UTF8.GetByteCount(path);
        return length is > 0 and <= UnixPathMax;
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
