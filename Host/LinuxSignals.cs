using System.Runtime.InteropServices;

namespace Tapwire.Host;

/// <summary>Linux signals without a name in .NET, by their numbers on x86-64 and Arm64 (signal(7)).</summary>
internal static class LinuxSignals
{
    public const PosixSignal SIGUSR1 = (PosixSignal)10;
    public const PosixSignal SIGUSR2 = (PosixSignal)12;
}
