using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>TCP Fast Open of a program that knows nothing of Tapwire. On a path without loss: a SYN that is lost with its data makes a client give the cookie up for a time.</summary>
public abstract class FastOpenSpecs(ProgramPath path)
{
    /// <summary>The kernel's client has what Tapwire's has: a cookie or none, a call that waits or does not, a server or none.</summary>
    [SkippableFact]
    public async Task A_client_of_Fast_Open_gets_from_each_call_what_the_kernel_gives()
    {
        path.Need("python3");
        const string Port = "8011";
        path.RunOnKernel("sh", "-c", "echo 3 >/proc/sys/net/ipv4/tcp_fastopen");
        using var server = await path.ServeOnKernelAsync(8011, "python3", ProgramPath.SourceOf("echo_server.py"), path.KernelAddress, Port, "fast");
        string[] client = ["python3", ProgramPath.SourceOf("fast_open.py"), path.KernelAddress, Port];
        Assert.Equal(path.RunOnKernel(client), path.RunOnTapwire(client));
    }
}

[Collection(LiveProgramsCollection.Name)]
public sealed class FastOpenSpec(CleanPath path) : FastOpenSpecs(path), IClassFixture<CleanPath>;

/// <summary>The same over IPv6.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class FastOpenOverIpv6Spec(CleanPathV6 path) : FastOpenSpecs(path), IClassFixture<CleanPathV6>;
