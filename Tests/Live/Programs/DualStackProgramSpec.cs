using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>Java's and Node's sockets are of IPv6 and take both families, unless they are told not to: on Tapwire as on the kernel.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class DualStackProgramSpec(CleanPathV6 path) : IClassFixture<CleanPathV6>
{
    [SkippableFact]
    public async Task A_java_server_of_all_addresses_has_clients_of_both_families()
    {
        path.Need("javac", "nc");
        path.RunOnKernel("javac", "-d", path.Files, ProgramPath.SourceOf("Serve.java"));
        await CompareAsync(8501, port => ["java", "-XX:TieredStopAtLevel=1", "-cp", path.Files, "Serve", $"{port}"]);
    }

    [SkippableTheory]
    [InlineData("both", 8511)]
    [InlineData("only", 8521)]
    public async Task A_node_server_of_all_addresses_has_clients_of_both_families_or_of_ipv6_alone(string which, int first)
    {
        path.Need("node", "nc");
        await CompareAsync(first, port => ["node", ProgramPath.SourceOf("listeners.js"), $"{port}", which], hasIpv4: which == "both");
    }

    /// <summary>By a mapped address.</summary>
    [SkippableFact]
    public async Task A_java_client_fetches_from_ipv4_by_its_sockets_of_both_families()
    {
        path.Need("javac", "python3");
        using var server = await path.ServeOnKernelAsync(8531, "python3", "-m", "http.server", "-d", path.Files, "--bind", ProgramPath.Kernel, "8531");
        path.RunOnKernel("javac", "-d", path.Files, ProgramPath.SourceOf("Get.java"));
        Assert.Equal(path.Digest, path.RunOnTapwire("java", "-XX:TieredStopAtLevel=1", "-cp", path.Files, "Get", $"http://{ProgramPath.Kernel}:8531/file").Trim());
    }

    /// <summary>Serves on Tapwire for the kernel's clients, and on the kernel for Tapwire's: each client sees the same but for the address.</summary>
    private async Task CompareAsync(int first, Func<int, string[]> command, bool hasIpv4 = true)
    {
        using var tapwire = await path.ServeOnTapwireAsync(first, command(first));
        using var kernel = await path.ServeOnKernelAsync(first + 1, command(first + 1));
        foreach (var (own, peer) in new[] { (LiveDriver.Address, LiveDriver.KernelAddress), (LiveDriver.AddressV6, LiveDriver.KernelAddressV6) })
        {
            var byKernel = path.Driver.Namespace.TryExec("nc", "-w", "10", own, $"{first}");
            string[] client = path.OnTapwire("nc", "-w", "10", peer, $"{first + 1}");
            var byTapwire = path.Driver.Namespace.TryExec(client[0], client[1..]);
            Assert.Equal(byTapwire.ExitCode, byKernel.ExitCode);
            Assert.Equal(hasIpv4 || own == LiveDriver.AddressV6, byKernel.ExitCode == 0);
            if (byKernel.ExitCode == 0)
                Assert.Equal(byTapwire.Output[..^2] + "1", byKernel.Output[..^1]); // the stack's address ends in 2, the kernel's in 1
        }
    }
}
