using System.Runtime.CompilerServices;

namespace Tapwire.Host;

internal static class Program
{
    public static int Main(string[] args) => Preflight.Passes() ? Run(args) : ExitCode.Failed;

    // In a method of its own: what it needs is loaded when it is called, and that takes more descriptors than there may be.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Run(string[] args) => TapwireCommandLine.RunProcessAsync(args).GetAwaiter().GetResult();
}
