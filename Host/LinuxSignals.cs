using System.Runtime.InteropServices;

namespace Tapwire.Host;

/// <summary>Signals that .NET has no name for, with the numbers that Linux has on x86-64 and Arm64 (signal(7)).</summary>
internal static class LinuxSignals
{
    public const PosixSignal SIGUSR1 = (PosixSignal)10;
    public const PosixSignal SIGUSR2 = (PosixSignal)12;
}
