using System.Globalization;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>Programs that nobody here wrote for Tapwire join groups, and hear and are heard as on the kernel's sockets, by which the peer is the kernel.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class GroupSpec(GroupPath path) : IClassFixture<GroupPath>
{
    private static readonly string Program = ProgramPath.SourceOf("groups.py");

    [SkippableFact]
    public void Options_of_groups_are_answered_as_by_the_kernel()
    {
        path.Need("python3");
        var kernel = path.RunOnKernel("python3", Program, "errors", ProgramPath.Kernel);
        Assert.Equal(kernel, path.RunOnTapwire("python3", Program, "errors", ProgramPath.Tapwire));
        Assert.True(kernel.Split('\n').Length > 100, kernel);
    }

    [SkippableTheory]
    [InlineData("4", "mreq")]
    [InlineData("4", "mreqn")]
    [InlineData("4", "group")]
    [InlineData("4", "bound")]
    [InlineData("6", "mreq")]
    [InlineData("6", "group")]
    [InlineData("6", "bound")]
    public async Task A_program_hears_what_the_kernel_sends_to_its_group_and_the_other_way_round(string family, string form)
    {
        path.Need("python3");
        foreach (var onTapwire in (bool[])[true, false])
        {
            using var receiver = path.Start(onTapwire, "python3", Program, "receive", family, AddressOf(onTapwire), "5320", form, "2");
            await ReadyAsync(receiver);
            _ = path.Run(!onTapwire, "python3", Program, "send", family, AddressOf(!onTapwire), "5320", "one", "two");
            receiver.WaitForExit();
            Assert.Equal("ready\none\ntwo", receiver.Output.TrimEnd());
        }
    }

    [SkippableTheory]
    [InlineData("4")]
    [InlineData("6")]
    public void A_program_hears_itself_as_long_as_it_wants_to(string family)
    {
        path.Need("python3");
        foreach (var onTapwire in (bool[])[false, true])
            Assert.Equal("heard\nsilence\n", path.Run(onTapwire, "python3", Program, "loop", family, AddressOf(onTapwire), "5321"));
    }

    [SkippableFact]
    public async Task A_stream_of_100_Mbit_a_second_reaches_two_receivers_each()
    {
        const int Packets = 28_500;
        path.Need("python3");
        // A machine that others use may stop a program for longer than its buffer lasts: then the kernel's receivers lose, too. The best of a few attempts counts.
        var said = "";
        for (var attempt = 0; attempt < 5; attempt++)
        {
            using var first = path.Start(true, "python3", Program, "count", ProgramPath.Tapwire, "5322", $"{Packets}");
            using var second = path.Start(true, "python3", Program, "count", ProgramPath.Tapwire, "5322", $"{Packets}");
            await ReadyAsync(first);
            await ReadyAsync(second);
            said = path.Run(false, "python3", Program, "stream", ProgramPath.Kernel, "5322", $"{Packets}", "9500");
            first.WaitForExit();
            second.WaitForExit();
            said += first.Output + second.Output;
            Assert.Equal(2, said.Split(", 0 wrong").Length - 1);
            if (Received(first) >= Packets * 0.99 && Received(second) >= Packets * 0.99)
                return;
        }

        Assert.Fail(said);
    }

    private static int Received(ServerProgram receiver)
    {
        var words = receiver.Output.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        return int.Parse(words[Array.IndexOf(words, "received") + 1], CultureInfo.InvariantCulture);
    }

    [SkippableFact]
    public async Task A_router_of_the_link_hears_of_the_groups()
    {
        path.Need("python3");
        using var router = path.Start(false, "python3", Program, "reports", "tw0", "6");
        await ReadyAsync(router);
        using (var receiver = path.Start(true, "python3", Program, "receive", "4", ProgramPath.Tapwire, "5323", "mreq", "1"))
            await ReadyAsync(receiver);
        using (var receiver = path.Start(true, "python3", Program, "receive", "6", ProgramPath.Tapwire, "5323", "mreq", "1"))
            await ReadyAsync(receiver);
        router.WaitForExit();
        foreach (var expected in (string[])
            [
                "IGMP 0x22 ttl 1 options 94040000 4:239.1.2.3", "IGMP 0x22 ttl 1 options 94040000 3:239.1.2.3",
                "MLD 143 hops 1 options 05020000 4:ff15::123", "MLD 143 hops 1 options 05020000 3:ff15::123",
            ])
            Assert.Contains(expected, router.Output, StringComparison.Ordinal);
    }

    private static string AddressOf(bool onTapwire) => onTapwire ? ProgramPath.Tapwire : ProgramPath.Kernel;

    private static Task ReadyAsync(ServerProgram program) =>
        LiveDriver.EventuallyAsync(() => Task.FromResult(program.Output.Contains("ready\n", StringComparison.Ordinal) || program.HasFailed), () => $"A program does not come up:\n{program.Output}");
}

/// <summary>A path whose both ends have addresses of both families.</summary>
public sealed class GroupPath() : ProgramPath("", "", isV6: true)
{
    internal string Run(bool onTapwire, params string[] command) => onTapwire ? RunOnTapwire(command) : RunOnKernel(command);

    /// <summary>Starts a program that says itself when it is ready.</summary>
    internal ServerProgram Start(bool onTapwire, params string[] command)
    {
        var whole = onTapwire ? OnTapwire(command) : command;
        return new ServerProgram(Driver.Namespace.Start(whole[0], whole[1..]));
    }
}
