using Tapwire.Host.Commands;
using Tapwire.Host.Diagnosis;
using Xunit;

namespace Tapwire.Tests.Host.Diagnosis;

/// <summary>What <c>tapwire doctor</c> makes of what it has found out.</summary>
public sealed class FindingSpecs
{
    private static readonly MachineFacts Healthy = new()
    {
        System = "Debian, kernel 6.12.1, x64, .NET 10",
        IsLinux = true,
        Kernel = new Version(6, 12),
        Processors = 4,
        TunHasVirtioHeader = true,
        TunHasQueues = true,
        HasNetAdmin = true,
        OpenFiles = 20_000,
        Memory = 8L << 30,
        SocketBuffer = 212_992,
        Link = "/run/tapwire/link.sock",
    };

    [Fact]
    public void A_machine_that_lacks_nothing_is_told_so_and_has_nothing_to_do()
    {
        Assert.All(Finding.From(Healthy), static finding => Assert.Equal((Verdict.Ok, null), (finding.Verdict, finding.Remedy)));
    }

    // Of a value that is not constant: the lack by name.
    public static TheoryData<string> Lacks => [.. Cases.Keys];

    private static readonly Dictionary<string, (MachineFacts Facts, string Subject, object Verdict, string Words)> Cases = new()
    {
        ["another system"] = (Healthy with { IsLinux = false }, "system", Verdict.Missing, "runs on Linux only"),
        ["no tun module"] = (Healthy with { TunProblem = "modprobe tun" }, "TAP devices", Verdict.Missing, "modprobe tun"),
        ["no capability"] = (Healthy with { HasNetAdmin = false }, "privilege", Verdict.Limited, "unshare -Urn"),
        ["no capability, no namespaces"] =
            (Healthy with { HasNetAdmin = false, NamespaceProblem = "forbidden." }, "privilege", Verdict.Missing, "ip tuntap add dev tw0 mode tap user $USER"),
        ["single frames"] = (Healthy with { TunHasVirtioHeader = false }, "offloads", Verdict.Limited, "IFF_VNET_HDR"),
        ["an older kernel"] = (Healthy with { Kernel = new Version(6, 1) }, "offloads", Verdict.Limited, "Linux 6.2"),
        ["offloads that nobody can ask for"] = (Healthy with { TunProblem = "x" }, "offloads", Verdict.Limited, "Not known"),
        ["few open files"] = (Healthy with { OpenFiles = 1024 }, "open files", Verdict.Limited, "LimitNOFILE"),
        ["hardly an open file"] = (Healthy with { OpenFiles = 64 }, "open files", Verdict.Missing, "room for 0 sockets"),
        ["little memory"] = (Healthy with { Memory = 200 << 20 }, "memory", Verdict.Limited, "25 MiB of it for connections"),
        ["hardly any memory"] = (Healthy with { Memory = 96 << 20 }, "memory", Verdict.Missing, "at least 128 MiB"),
        ["small socket buffers"] = (Healthy with { SocketBuffer = 65_536 }, "socket buffers", Verdict.Limited, "sysctl net.core.wmem_max=212992"),
        ["socket buffers that are not told"] = (Healthy with { SocketBuffer = 0 }, "socket buffers", Verdict.Limited, "cannot be read"),
        ["one processor"] = (Healthy with { Processors = 1 }, "processors", Verdict.Limited, "share"),
        ["one queue"] = (Healthy with { TunHasQueues = false }, "processors", Verdict.Limited, "one thread"),
        ["no library"] = (Healthy with { LibraryProblem = "Install gcc." }, "tapwire run", Verdict.Missing, "Install gcc."),
        ["another's link"] = (Healthy with { LinkProblem = "Name another." }, "link", Verdict.Missing, "Name another."),
        ["bad settings"] = (Healthy with { SettingsProblem = "line 3" }, "settings", Verdict.Missing, "line 3"),
    };

    [Theory]
    [MemberData(nameof(Lacks))]
    public void A_lack_is_named_with_what_to_do(string lack)
    {
        var (facts, subject, verdict, words) = Cases[lack];
        var finding = Assert.Single(Finding.From(facts), finding => finding.Subject == subject);
        Assert.Equal(verdict, finding.Verdict);
        Assert.Contains(words, $"{finding.What} {finding.Remedy}", StringComparison.Ordinal);
    }

    [Fact]
    public void A_running_driver_is_no_lack()
    {
        var finding = Assert.Single(Finding.From(Healthy with { DriverRuns = true }), static finding => finding.Subject == "link");
        Assert.Equal((Verdict.Ok, "A driver answers at /run/tapwire/link.sock."), (finding.Verdict, finding.What));
    }

    [Fact]
    public void Lines_fit_beside_the_subject_and_a_long_word_stays_whole()
    {
        var path = "/" + new string('x', 90);
        var lines = DoctorCommand.Wrap($"{string.Join(' ', Enumerable.Repeat("word", 30))} {path} end").ToList();
        Assert.All(lines.Where(line => line != path), static line => Assert.InRange(line.Length, 1, 54));
        Assert.Contains(path, lines);
        Assert.Empty(DoctorCommand.Wrap(""));
    }
}
