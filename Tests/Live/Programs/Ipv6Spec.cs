using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>IPv6 sockets: a program sees on Tapwire's what it sees on the kernel's, ancillary data, errors, lengths and both families on one socket.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class Ipv6Spec(CleanPathV6 path) : IClassFixture<CleanPathV6>
{
    private const string Nowhere = "fd00:99::99";

    private const int Echo = 7007;

    /// <summary>What ipv6.py calls its parts.</summary>
    public static TheoryData<string> Parts => ["received", "errors", "lengths", "streams"];

    [SkippableTheory]
    [MemberData(nameof(Parts))]
    public async Task A_program_sees_on_tapwire_what_it_sees_on_the_kernel(string part)
    {
        path.Need("python3");
        string[] echo = ["python3", ProgramPath.SourceOf("udp_echo.py")], program = ["python3", ProgramPath.SourceOf("ipv6.py")];
        string kernel, tapwire;
        using (await path.ServeOnTapwireAsync(Echo, [.. echo, path.TapwireAddress, $"{Echo}"]))
            kernel = path.RunOnKernel([.. program, path.KernelAddress, path.TapwireAddress, Nowhere, part]);
        using (await path.ServeOnKernelAsync(Echo, [.. echo, path.KernelAddress, $"{Echo}"]))
            tapwire = path.RunOnTapwire([.. program, path.TapwireAddress, path.KernelAddress, Nowhere, part]);
        Assert.Equal(kernel, tapwire);
        Assert.True(kernel.Split('\n').Length > 4, kernel);
    }
}
