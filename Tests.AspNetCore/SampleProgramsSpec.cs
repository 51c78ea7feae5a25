using System.Diagnostics;
using Tapwire.Tests.Live.Support;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.AspNetCore;

/// <summary>The programs of samples as their first lines say that they are started: each makes its device, which then gets an address at the kernel's end.</summary>
public sealed class SampleProgramsSpec
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    [SkippableFact]
    public async Task Web_serves_and_gets()
    {
        using var space = NetworkNamespace.Create();
        var server = Start(space, "Web", "serve", "tap:tw0", "10.99.0.2/24");
        Give(space, "tw0", "10.99.0.1/24");
        Assert.Equal("Hello you, you come from ::ffff:10.99.0.1.", space.Exec("curl", "-sS", "--max-time", "60", "--retry-connrefused", "--retry", "20", "http://10.99.0.2:8080/hello/you"));

        using var files = new ServedFile(space, "hello from the kernel");
        var client = Start(space, "Web", "get", "tap:tw1", "10.98.0.2/24", "http://10.98.0.1:8000/file");
        Give(space, "tw1", "10.98.0.1/24");
        Assert.Equal("hello from the kernel\n", await client.StandardOutput.ReadToEndAsync().WaitAsync(Patience));
        Assert.Equal(0, NetworkNamespace.ExitCodeOf(client));
        Assert.False(server.HasExited);
    }

    [SkippableTheory]
    [InlineData("Actor")]
    [InlineData("Chat")]
    [InlineData("Grpc")]
    [InlineData("Postgres")]
    [InlineData("Redis")]
    [InlineData("ReverseProxy")]
    [InlineData("Web")]
    public async Task Without_its_arguments_a_program_says_how_it_is_used(string sample)
    {
        using var space = NetworkNamespace.Create();
        var program = Start(space, sample, "one");
        Assert.StartsWith($"Usage: {sample} ", await program.StandardError.ReadToEndAsync().WaitAsync(Patience), StringComparison.Ordinal);
        Assert.Equal(2, NetworkNamespace.ExitCodeOf(program));
    }

    [SkippableFact]
    public async Task Grpc_greets_over_a_bridge()
    {
        using var space = NetworkNamespace.Create();
        space.Ip("link add br0 type bridge");
        space.Ip("link set br0 up");
        using var server = Start(space, "Grpc", "serve", "tap:tw0", "10.99.0.2/24");
        Bridge(space, "tw0");
        while (await server.StandardOutput.ReadLineAsync().WaitAsync(Patience) is { } line && !line.Contains("Now listening on", StringComparison.Ordinal))
        {
        }

        using var client = Start(space, "Grpc", "greet", "tap:tw1", "10.99.0.3/24", "10.99.0.2", "you");
        Bridge(space, "tw1");
        Assert.Equal("Hello you.\n", await client.StandardOutput.ReadToEndAsync().WaitAsync(Patience));
        Assert.Equal(0, NetworkNamespace.ExitCodeOf(client));
    }

    /// <summary>Starts a program from where it is built: beside these specs are not all of the files that it needs.</summary>
    internal static Process Start(NetworkNamespace space, string sample, params string[] arguments)
    {
        var built = Path.GetRelativePath(Path.Combine(Repository.Root, "Tests.AspNetCore"), AppContext.BaseDirectory);
        return space.Start("dotnet", [Path.Combine(Repository.Root, "samples", sample, built, $"Tapwire.Samples.{sample}.dll"), .. arguments]);
    }

    /// <summary>Waits for a device, and gives its other end an address.</summary>
    private static void Give(NetworkNamespace space, string device, string address)
    {
        Await(space, device);
        space.Ip($"address add {address} dev {device}");
    }

    /// <summary>Waits for a device, and has its other end on the bridge.</summary>
    private static void Bridge(NetworkNamespace space, string device)
    {
        Await(space, device);
        space.Ip($"link set {device} master br0");
    }

    private static void Await(NetworkNamespace space, string device) => KernelEnd.Await(space, $"The program does not make {device}.", "ip", "link", "set", device, "up");

    /// <summary>A web server of the kernel's, with one file.</summary>
    private sealed class ServedFile : IDisposable
    {
        private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-");

        public ServedFile(NetworkNamespace space, string text)
        {
            File.WriteAllText(Path.Combine(_directory.FullName, "file"), text);
            space.Start("python3", "-m", "http.server", "-d", _directory.FullName, "8000");
            KernelEnd.Await(space, "python3 does not serve.", "curl", "-sS", "http://127.0.0.1:8000/file");
        }

        public void Dispose() => _directory.Delete(recursive: true);
    }
}
