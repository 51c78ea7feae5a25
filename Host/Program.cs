using System.Runtime.CompilerServices;

namespace Tapwire.Host;

internal static class Program
{
    public static int Main(string[] args) => Preflight.Passes() ? Run(args) : ExitCode.Failed;

    // A method of its own, because the libraries that it needs are loaded when it is called, and they need more descriptors than the process may have.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Run(string[] args) => TapwireCommandLine.RunProcessAsync(args).GetAwaiter().GetResult();
}
