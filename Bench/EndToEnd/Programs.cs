using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;

namespace Tapwire.Bench.EndToEnd;

/// <summary>The client, and the programs of the peers, compiled when they are first asked for by what is installed here.</summary>
internal static class Programs
{
    private const string GoTree = "/usr/share/gocode";
    private const string GoEndpoint = $"{GoTree}/src/gvisor.dev/gvisor/pkg/tcpip/link/fdbased/endpoint.go";

    private static readonly string Directory = Path.Combine(AppContext.BaseDirectory, "peers");

    /// <summary>The same for all.</summary>
    public static string Client => Compile("client/client.c", "-pthread");

    public static string KernelServer => Compile("kernel/server.c");

    /// <summary>A program in Python.</summary>
    public static string KestrelConnections => Source("kestrel/connections.py");

    public static string KestrelService => Beside("Kestrel");

    /// <summary>A client with the driver in its own process.</summary>
    public static string InProcessClient => Beside("InProcess");

    public static string Lwip => File.Exists("/usr/include/lwip/lwip/tcp.h")
        ? Compile("lwip/main.c", "-I/usr/include/lwip", "-llwip")
        : throw new MissingException("there is no lwip/tcp.h: apt install liblwip-dev");

    public static string Gvisor
    {
        get
        {
            if (!File.Exists(GoEndpoint))
                throw new MissingException("there is no netstack for Go: apt install golang-gvisor-gvisor-dev");
            var program = Path.Combine(Directory, "gvisor", "gvisor");
            if (IsNewer(program, Source("gvisor/main.go")))
                return program;
            Run("go", new() { ["GO111MODULE"] = "off", ["GOPATH"] = GoTree, ["GOFLAGS"] = "" },
                "build", "-overlay", WriteOverlay(), "-o", program, Source("gvisor/main.go"));
            return program;
        }
    }

    /// <summary>Fails unless a program can be started.</summary>
    public static void Require(string program, string package)
    {
        if (!Environment.GetEnvironmentVariable("PATH")!.Split(':').Append("/usr/sbin").Any(path => File.Exists(Path.Combine(path, program))))
            throw new MissingException($"there is no '{program}': apt install {package}");
    }

    /// <summary>An assembly, built beside this one.</summary>
    private static string Beside(string name)
    {
        var assembly = AppContext.BaseDirectory.Replace("/EndToEnd/", $"/{name}/", StringComparison.Ordinal) + $"Tapwire.Bench.{name}.dll";
        return File.Exists(assembly) ? assembly : throw new MissingException($"there is no {assembly}: build Bench/{name}");
    }

    private static string Compile(string source, params string[] flags)
    {
        source = Source(source);
        var program = Path.ChangeExtension(source, null);
        if (!IsNewer(program, source))
            Run("cc", [], ["-O2", "-o", program, source, .. flags]);
        return program;
    }

    private static string Source(string name) => Path.Combine(Directory, name);

    private static bool IsNewer(string program, string source) => File.Exists(program) && File.GetLastWriteTimeUtc(program) > File.GetLastWriteTimeUtc(source);

    /// <summary>
    /// gVisor's endpoint heeds its GSO options on sockets only, and a TAP device is none. This makes it heed them there, too; nothing else is changed.
    /// </summary>
    private static string WriteOverlay()
    {
        const string asPackaged = "\t\tif isSocket {\n\t\t\tif opts.GSOMaxSize != 0 {";
        const string asNeeded = "\t\tif isSocket || opts.GSOMaxSize != 0 {\n\t\t\tif opts.GSOMaxSize != 0 {";
        var text = File.ReadAllText(GoEndpoint);
        if (!text.Contains(asPackaged, StringComparison.Ordinal))
            throw new MissingException($"{GoEndpoint} is not as it was when its change for TAP with GSO was made");
        var endpoint = Source("gvisor/endpoint.go.txt");
        File.WriteAllText(endpoint, text.Replace(asPackaged, asNeeded, StringComparison.Ordinal));
        var overlay = Source("gvisor/overlay.json");
        File.WriteAllText(overlay, JsonSerializer.Serialize(new { Replace = new Dictionary<string, string> { [GoEndpoint] = endpoint } }));
        return overlay;
    }

    private static void Run(string command, Dictionary<string, string> environment, params string[] arguments)
    {
        var start = new ProcessStartInfo(command, arguments) { RedirectStandardError = true };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        try
        {
            using var process = Process.Start(start)!;
            var error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            if (process.ExitCode != 0)
                throw new MissingException($"{command} {string.Join(' ', arguments)} fails: {error.Trim()}");
        }
        catch (Win32Exception)
        {
            throw new MissingException($"there is no '{command}'");
        }
    }
}
