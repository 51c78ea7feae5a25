using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>
/// All that the probe tries, with libtapwire.so built so that it watches itself (AddressSanitizer, UndefinedBehaviorSanitizer). The library comes before the sanitizers'
/// own: these look at the arguments of libc's functions themselves, and do not survive those that the probe has for them.
/// </summary>
public abstract class SanitizerSpecs(ProgramPath path)
{
    private static readonly string[] s_flags =
    [
        "-std=gnu11", "-O1", "-g", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-fno-omit-frame-pointer",
        "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined",
    ];

    [SkippableFact]
    public async Task The_library_does_nothing_that_a_sanitizer_reports()
    {
        path.Need("gcc", "python3");
        var library = Build("libtapwire-sanitized.so", [.. Directory.GetFiles(ProgramPath.SourceOf("Intercept"), "*.c"), "-ldl"]);
        var probe = path.Compile("probe");
        using var echo = await path.ServeOnKernelAsync(LiveDriver.Echo, "python3", ProgramPath.SourceOf("echo_server.py"), path.KernelAddress, $"{LiveDriver.Echo}");
        var (said, reports) = Run(library, probe, path.TapwireAddress, path.KernelAddress, path.Nobody);
        Assert.Empty(reports);
        Assert.Equal(((IEnumerable<object[]>)ProbeSpecs.Parts).Count(), said.Split('\n').Count(static line => line.StartsWith("== ", StringComparison.Ordinal)));
    }

    /// <summary>That the spec above would see a fault.</summary>
    [SkippableTheory]
    [InlineData("char *volatile p = malloc(8); return p[size + 8];", "heap-buffer-overflow")]
    [InlineData("char bytes[8] = \"\"; char *volatile p = bytes; return p[size + 8];", "stack-buffer-overflow")]
    [InlineData("return 0x7fffffff + (int)size;", "signed integer overflow")]
    public void A_fault_in_a_library_is_reported(string body, string report)
    {
        path.Need("gcc");
        var source = Path.Combine(path.Files, "fault.c");
        File.WriteAllText(source, $$"""
            #include <stdlib.h>
            volatile int result;
            static int fault(volatile size_t size) { {{body}} }
            __attribute__((visibility("default"))) int listen(int fd, int backlog) { result = fault((size_t)backlog); return fd & 0; }
            """);
        var library = Build("libfault.so", [source]);
        var (_, reports) = Run(library, "python3", "-c", "import socket; socket.socket().listen(1)");
        Assert.Contains(report, string.Concat(reports), StringComparison.Ordinal);
    }

    private string Build(string name, string[] sources)
    {
        var library = Path.Combine(path.Files, name);
        foreach (var runtime in (string[])["libasan.so", "libubsan.so"])
            Skip.IfNot(File.Exists(Runtime(runtime)), $"gcc has no {runtime}");
        path.RunOnKernel(["gcc", .. s_flags, "-o", library, .. sources]);
        return library;
    }

    private string Runtime(string name) => path.RunOnKernel("gcc", $"-print-file-name={name}").Trim();

    /// <summary>What the program has written, and what the sanitizers have found in it or in a process that it has started.</summary>
    private (string Output, string[] Reports) Run(string library, params string[] command)
    {
        var directory = Directory.CreateDirectory(Path.Combine(path.Files, $"reports-{Path.GetFileNameWithoutExtension(library)}"));
        foreach (var old in directory.GetFiles())
            old.Delete();
        path.RunOnKernel("chmod", "1777", directory.FullName); // of processes that become other users, too
        var report = Path.Combine(directory.FullName, "report");
        var ended = path.Driver.Namespace.TryExec("env", [
            $"LD_PRELOAD={library}:{Runtime("libasan.so")}:{Runtime("libubsan.so")}", $"TAPWIRE_LINK={path.Driver.LinkPath}",
            $"ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0:log_path={report}", "UBSAN_OPTIONS=print_stacktrace=1", .. command]);
        // AddressSanitizer writes to files, UndefinedBehaviorSanitizer beside it to standard error.
        string[] reports = [.. directory.GetFiles().Select(static file => File.ReadAllText(file.FullName)).Append(ended.Error)
            .Where(static text => text.Contains("Sanitizer", StringComparison.Ordinal) || text.Contains("runtime error", StringComparison.Ordinal))];
        Assert.True(ended.ExitCode == 0 || reports.Length > 0, $"exit {ended.ExitCode}: {ended.Output}{ended.Error}");
        return (ended.Output, reports);
    }
}

[Collection(LiveProgramsCollection.Name)]
public sealed class SanitizerSpec(CleanPath path) : SanitizerSpecs(path), IClassFixture<CleanPath>;

/// <summary>The same over IPv6.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class SanitizerOverIpv6Spec(CleanPathV6 path) : SanitizerSpecs(path), IClassFixture<CleanPathV6>;
