using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>Programs that Tapwire cannot reach are named to the user.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class BypassSpec(CleanPath path) : IClassFixture<CleanPath>
{
    private const string Remedy = "Use 'tapwire run --netns', or --allow-bypass, which keeps this silent.";

    [SkippableTheory]
    [InlineData("cc -static -o PROGRAM plain.c", "it is linked statically")]
    [InlineData("cc -static-pie -o PROGRAM plain.c", "it is linked statically")]
    [InlineData("cc -static -o PROGRAM.bin plain.c && printf '#!%s\\n' PROGRAM.bin >PROGRAM && chmod 755 PROGRAM",
        "'PROGRAM.bin', which it names in its first line: it is linked statically")]
    [InlineData("musl-gcc -o PROGRAM plain.c", "it is linked with another C library than Tapwire (its loader is ld-musl-x86_64.so.1)")]
    [InlineData("cc -o PROGRAM plain.c && chown 65533 PROGRAM && chmod 4755 PROGRAM", "it is a setuid program, for which the system ignores LD_PRELOAD")]
    [InlineData("mkdir -p PROGRAM.d && cp plain.go PROGRAM.d/main.go && cd PROGRAM.d && GO111MODULE=off GOCACHE=$PWD/cache CGO_ENABLED=0 go build -o PROGRAM main.go",
        "it is a Go program, which calls the kernel without the C library")]
    [InlineData("cc -o PROGRAM plain.c", "")]
    public void A_program_that_goes_round_tapwire_is_said_to_once(string build, string reason)
    {
        path.Need("cc");
        File.WriteAllText(Path.Combine(path.Files, "plain.c"), "#include <stdio.h>\nint main(void) { puts(\"has run\"); return 0; }\n");
        File.WriteAllText(Path.Combine(path.Files, "plain.go"), "package main\nfunc main() { print(\"\"); println(\"\") }\n");
        var program = Path.Combine(path.Files, $"round-{build.Length}-{reason.Length}");
        var built = path.Driver.Namespace.TryExec("sh", "-c", $"cd {path.Files} && {build.Replace("PROGRAM", program, StringComparison.Ordinal)}");
        Skip.If(built.ExitCode != 0, $"it cannot be built here: {built.Error}");
        Assert.Equal(reason.Length == 0 ? "" : $"tapwire: '{program}' goes round Tapwire, by the host's network: {reason.Replace("PROGRAM", program, StringComparison.Ordinal)}. {Remedy}\n", path.ErrorOf(program, $"{program}; {program}; ({program}; {program})"));
        Assert.Equal("", path.ErrorOf(program, $"TAPWIRE_BYPASS=allow {program}"));
        Assert.Equal("", path.ErrorOf(program, $"{program} 2>/dev/null"));
    }
}
