using System.Net.Sockets;
using System.Security.Cryptography;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>
/// A driver, the kernel at the other end of its wire, a file to be fetched, and the verbs of a spec about programs that nobody here wrote: run one on the kernel's
/// sockets or on Tapwire's. Started by the first spec that uses it.
/// </summary>
/// <param name="isV6">The specs use IPv6 addresses.</param>
public abstract class ProgramPath(string settings, string ruleset, bool isV6 = false) : IDisposable
{
    public const string Tapwire = LiveDriver.Address;
    public const string Kernel = LiveDriver.KernelAddress;

    private LiveDriver? _driver;
    private DirectoryInfo? _directory;
    private string _digest = "";

    internal LiveDriver Driver => _driver ?? Open();

    public string TapwireAddress => isV6 ? LiveDriver.AddressV6 : Tapwire;

    public string KernelAddress => isV6 ? LiveDriver.KernelAddressV6 : Kernel;

    /// <summary>The address as it stands before a port, and in a URL.</summary>
    public string TapwireHost => isV6 ? $"[{LiveDriver.AddressV6}]" : Tapwire;

    public string KernelHost => isV6 ? $"[{LiveDriver.KernelAddressV6}]" : Kernel;

    /// <summary>An address of the wire's network that nobody has.</summary>
    public string Nobody => isV6 ? "fd00:99::77" : "10.99.0.77";

    /// <summary>All addresses of the family.</summary>
    public string AnyAddress => isV6 ? "::" : "0.0.0.0";

    public string LoopbackAddress => isV6 ? "::1" : "127.0.0.1";

    /// <summary>A network that is none of the wire's.</summary>
    public string OtherNetwork => isV6 ? "fd50::/16" : "10.50.0.0/16";

    public string AnyHost => isV6 ? "[::]" : "0.0.0.0";

    /// <summary>Where the specs' files are; every user may read there.</summary>
    public string Files
    {
        get
        {
            _ = Driver;
            return _directory!.FullName;
        }
    }

    /// <summary>SHA-256, in hexadecimal, of the file named "file".</summary>
    public string Digest
    {
        get
        {
            _ = Driver;
            return _digest;
        }
    }

    /// <summary>Skips the spec if a program is not there.</summary>
    public void Need(params string[] programs)
    {
        foreach (var program in programs)
            Skip.If(Driver.Namespace.TryExec("sh", "-c", $"command -v {program}").ExitCode != 0, $"there is no '{program}'");
    }

    /// <summary>The command line that runs a command on Tapwire's sockets.</summary>
    public string[] OnTapwire(params string[] command) =>
        ["env", $"LD_PRELOAD={Path.Combine(Files, "libtapwire.so")}", $"TAPWIRE_LINK={Driver.LinkPath}", .. command];

    /// <summary>Runs a command on Tapwire's sockets; it has to succeed. Returns what it wrote.</summary>
    public string RunOnTapwire(params string[] command) => Succeed(OnTapwire(command));

    public string RunOnKernel(params string[] command) => Succeed(command);

    /// <summary>Starts a server on Tapwire's sockets and waits until the stack listens at the port.</summary>
    internal async Task<ServerProgram> ServeOnTapwireAsync(int port, params string[] command)
    {
        var server = Start(OnTapwire(command));
        await LiveDriver.EventuallyAsync(async () => (await Driver.StatusAsync()).GetRawText().Contains($":{port}\"", StringComparison.Ordinal) || server.HasFailed,
            () => $"{command[0]} does not listen at {port}.");
        return server;
    }

    /// <summary>Starts a server on the kernel's sockets and waits until the kernel listens at the port.</summary>
    internal async Task<ServerProgram> ServeOnKernelAsync(int port, params string[] command)
    {
        var server = Start(command);
        await LiveDriver.EventuallyAsync(
            () => Task.FromResult(Driver.Namespace.TryExec("ss", "-Hlntu", $"sport = :{port}").Output.Length > 0 || server.HasFailed),
            () => $"{command[0]} does not listen at {port}.");
        return server;
    }

    /// <summary>Serves the files over HTTP on the kernel's sockets.</summary>
    internal Task<ServerProgram> ServeFilesAsync(int port) =>
        ServeOnKernelAsync(port, "python3", "-m", "http.server", "-d", Files, "--bind", KernelAddress, $"{port}");

    /// <summary>A program in C of this folder, compiled for this family.</summary>
    public string Compile(string name)
    {
        Need("cc");
        var program = Path.Combine(Files, name);
        if (!File.Exists(program))
        {
            RunOnKernel(["cc", "-std=gnu11", "-O1", "-Wall", "-Wno-unused-result", "-Wno-unused-function", "-Wno-stringop-overflow", .. isV6 ? ["-DOVER_IPV6"] : Array.Empty<string>(),
                "-o", program, SourceOf($"{name}.c"), "-pthread"]);
        }

        return program;
    }

    /// <summary>What a shell on Tapwire has on standard error from a script, which has to succeed.</summary>
    public string ErrorOf(string program, string script)
    {
        var ended = Driver.Namespace.TryExec("env", OnTapwire("sh", "-c", script)[1..]);
        // Go's own output is on standard error.
        var error = string.Concat(ended.Error.Split('\n').Where(static line => line.Length > 0).Select(static line => $"{line}\n"));
        Assert.True(ended.ExitCode == 0, $"{program}: exit {ended.ExitCode}: {ended.Output}{ended.Error}");
        return error;
    }

    public static string SourceOf(string program) => Path.Combine(AppContext.BaseDirectory, "Live", "Programs", program);

    /// <summary>Stops the driver, which must have nothing to complain of.</summary>
    public void Dispose()
    {
        if (_driver is not { } driver)
            return;
        using (driver)
            driver.StopCleanly();
        _directory!.Delete(recursive: true);
        GC.SuppressFinalize(this);
    }

    private LiveDriver Open()
    {
        var driver = LiveDriver.StartOver(isV6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, settings);
        try
        {
            var library = Path.Combine(AppContext.BaseDirectory, "libtapwire.so");
            Skip.IfNot(File.Exists(library), "libtapwire.so was not built: there is no C compiler");
            if (ruleset.Length > 0)
            {
                var available = driver.Namespace.TryExec("nft", ruleset);
                Skip.If(available.ExitCode == 127, "there is no 'nft' command");
                Assert.True(available.ExitCode == 0, available.Error);
            }

            _directory = Directory.CreateTempSubdirectory("tapwire-files-");
            driver.Namespace.Exec("chmod", "0755", _directory.FullName);
            File.Copy(library, Path.Combine(_directory.FullName, "libtapwire.so"));
            var bytes = new byte[LiveSize.Bulk];
            new Random(1).NextBytes(bytes);
            File.WriteAllBytes(Path.Combine(_directory.FullName, "file"), bytes);
            File.WriteAllText(Path.Combine(_directory.FullName, "small"), "small\n");
            _digest = Convert.ToHexStringLower(SHA256.HashData(bytes));
            _driver = driver;
            return driver;
        }
        catch
        {
            driver.Dispose();
            throw;
        }
    }

    private string Succeed(string[] command) => Driver.Namespace.Exec(command[0], command[1..]);

    private ServerProgram Start(string[] command) => new(Driver.Namespace.Start(command[0], command[1..]));
}

/// <summary>A wire that loses nothing.</summary>
public sealed class CleanPath() : ProgramPath("", "");

/// <summary>The same with IPv6 addresses.</summary>
public sealed class CleanPathV6() : ProgramPath("", "", isV6: true);

/// <summary>A wire that loses 1 % of the frames in each direction, super-frames as a whole. Of what the kernel sends only TCP: a datagram dropped there is an error to its sender.</summary>
public sealed class LossyPath() : ProgramPath("", Ruleset)
{
    internal const string Ruleset = """
        table ip loss {
            chain in { type filter hook input priority 0; iifname "tw0" numgen random mod 1000 < 10 counter drop; }
            chain out { type filter hook output priority 0; oifname "tw0" meta l4proto tcp numgen random mod 1000 < 10 counter drop; }
        }
        """;
}
