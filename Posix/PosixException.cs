namespace Tapwire.Posix;

/// <summary>A system call failed in a way that its caller has no better word for.</summary>
/// <param name="operation">What was being done.</param>
public sealed class PosixException(string operation, int errno) : IOException($"{operation}: {Errors.Describe(errno)} (errno {errno})")
{
    /// <summary>The kernel's error number.</summary>
    public int Errno { get; } = errno;
}
