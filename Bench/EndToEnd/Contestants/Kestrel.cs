using Tapwire.Tests.Live.Support;

namespace Tapwire.Bench.EndToEnd.Contestants;

/// <summary>A service of ASP.NET Core (<c>Bench/Kestrel</c>) and the kernel's clients: what Kestrel listens by differs.</summary>
internal abstract class Kestrel(string name, string title, Role role) : Contestant(name, title, role, superFrames: true)
{
    public const int Port = 8090;

    public override bool Serves(string measurement) => false;

    protected static string[] Service(params string[] arguments) => [TapwireProgram.Host, "exec", Programs.KestrelService, .. arguments];

    protected override IReadOnlyList<string> Probe => ["curl", "-sS", "-m", "1", "-o", "/dev/null", $"http://{Address}:{Port}/small"];
}

/// <summary>Kestrel's own transport, on the kernel over a veth pair.</summary>
internal sealed class KestrelOverVeth() : Kestrel("kestrel-veth", "Kestrel, kernel over veth", Role.Limit)
{
    protected override int Launch()
    {
        var far = NewNetwork();
        JoinBy("tw1", far);
        far.Ip($"addr add {StackAddress}/{Prefix} dev tw1");
        return Start(far, [.. Service("sockets", $"{Port}")]);
    }
}

/// <summary>The driver within Kestrel's process.</summary>
internal sealed class KestrelInProcess() : Kestrel("kestrel-tapwire", "Kestrel, Tapwire in process", Role.Ours)
{
    protected override int Launch()
    {
        var process = Start(Near, [.. Service("driver", $"{Port}", $"tap:{Device}", $"{StackAddress}/{Prefix}")]);
        TakeDevice();
        return process;
    }
}

/// <summary>A driver of its own, and Kestrel on its link: by the client library, or as it is under <c>tapwire run</c>.</summary>
internal sealed class KestrelOnLink(bool unmodified) : Kestrel(
    unmodified ? "kestrel-run" : "kestrel-link", unmodified ? "Kestrel, unmodified on the link" : "Kestrel, client library on the link", Role.Ours)
{
    protected override int Launch()
    {
        var link = Path.Combine(NewDirectory(), "link.sock");
        var driver = StartTapwire(Near, "up", "--wire", $"tap:{Device}", "--address", $"{StackAddress}/{Prefix}", "--link", link);
        driver.WaitForLine("tapwire is up");
        TakeDevice();
        if (unmodified)
            StartTapwire(Near, ["run", "--link", link, "--", .. Service("sockets", $"{Port}")]);
        else
            Start(Near, [.. Service("link", $"{Port}", link)]);
        return driver.Pid;
    }
}
