using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>A driver that is stopped (SIGSTOP, a debugger) keeps no program for ever that uses its sockets.</summary>
public abstract class StoppedDriverSpecs(ProgramPath path)
{
    /// <summary>Signals that come all the while put nothing off, and end no call that knows no EINTR.</summary>
    [SkippableFact]
    public async Task Calls_end_in_seconds_fork_in_fewer_and_all_is_well_when_it_goes_on()
    {
        path.Need("python3");
        using var echo = await path.ServeOnKernelAsync(LiveDriver.Echo, "python3", ProgramPath.SourceOf("echo_server.py"), path.KernelAddress, $"{LiveDriver.Echo}");
        var said = path.RunOnTapwire("python3", ProgramPath.SourceOf("stopped_driver.py"), path.KernelAddress, $"{path.Driver.Program.Pid}");
        Assert.Equal("""
            fork: 0
            fork as another user: 0
            another user: 0
            setsockopt: Network is down
            setsockopt afterwards: None
            echo: b'x'
            fork afterwards: 0
            socket: None

            """, said);
    }
}

[Collection(LiveProgramsCollection.Name)]
public sealed class StoppedDriverSpec(CleanPath path) : StoppedDriverSpecs(path), IClassFixture<CleanPath>;

/// <summary>The same over IPv6.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class StoppedDriverOverIpv6Spec(CleanPathV6 path) : StoppedDriverSpecs(path), IClassFixture<CleanPathV6>;
