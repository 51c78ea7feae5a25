using System.Diagnostics;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.AspNetCore;

/// <summary>The kernel's end of a wire, and the servers there.</summary>
internal static class KernelEnd
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    /// <summary>Makes tw0 for a program that is to have it, with the address 10.99.0.1.</summary>
    public static void MakeDevice(NetworkNamespace space)
    {
        space.Ip("tuntap add dev tw0 mode tap");
        space.Ip("address add 10.99.0.1/24 dev tw0");
        space.Ip("link set tw0 up");
    }

    /// <summary>Tries a command until it succeeds.</summary>
    public static void Await(NetworkNamespace space, string complaint, string command, params string[] arguments)
    {
        var begin = Stopwatch.StartNew();
        while (space.TryExec(command, arguments).ExitCode != 0)
            Assert.True(begin.Elapsed < Patience, complaint);
    }
}
