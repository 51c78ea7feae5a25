using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Xunit;

namespace Tapwire.Tests.Architecture;

/// <summary>The arrows of the design, read from the compiled assemblies: Stack ← Messages ← Actors → Wires, Links, Proxy → Posix; Names → Stack; Host → all.</summary>
public class LayeringSpec
{
    /// <summary>What each assembly may refer to, of Tapwire's own, of the actor runtime, and of the host.</summary>
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Tapwire.Stack"] = [],
        ["Tapwire.Posix"] = ["Tapwire.Stack"],
        ["Tapwire.Wires"] = ["Tapwire.Stack", "Tapwire.Posix", "BouncyCastle.Cryptography"],
        ["Tapwire.Links"] = ["Tapwire.Stack", "Tapwire.Posix"],
        ["Tapwire.Client"] = ["Tapwire.Stack", "Tapwire.Posix", "Tapwire.Links"],
        ["Tapwire.Proxy"] = ["Tapwire.Stack", "Tapwire.Posix"],
        ["Tapwire.Names"] = ["Tapwire.Stack"],
        ["Tapwire.Messages"] = ["Tapwire.Stack", "Tapwire.Names", "Tapwire.Posix", "Tapwire.Wires", "Tapwire.Links", "Akka"],
        ["Tapwire.Actors"] = ["Tapwire.Stack", "Tapwire.Names", "Tapwire.Messages", "Tapwire.Posix", "Tapwire.Wires", "Tapwire.Links", "Tapwire.Proxy", "Akka"],
        ["Tapwire.Configuration"] = ["Tapwire.Stack", "Tapwire.Names", "Tapwire.Messages", "Tapwire.Actors", "Tapwire.Posix", "Tapwire.Wires", "Tapwire.Proxy", "Akka"],
        ["Tapwire.Net"] =
        [
            "Tapwire.Stack", "Tapwire.Names", "Tapwire.Messages", "Tapwire.Actors", "Tapwire.Posix", "Tapwire.Wires", "Tapwire.Links", "Tapwire.Client", "Tapwire.Configuration", "Akka",
        ],
        ["Tapwire.Lab"] =
        [
            "Tapwire.Stack", "Tapwire.Names", "Tapwire.Messages", "Tapwire.Actors", "Tapwire.Posix", "Tapwire.Wires", "Tapwire.Links", "Tapwire.Client", "Tapwire.Configuration", "Tapwire.Net", "Akka",
        ],
        ["tapwire"] =
        [
            "Tapwire.Client", "Tapwire.Configuration", "Tapwire.Stack", "Tapwire.Names", "Tapwire.Messages", "Tapwire.Actors", "Tapwire.Posix", "Tapwire.Wires", "Tapwire.Links", "Tapwire.Proxy", "Akka", "Akka.Hosting", "Akka.Logger.Serilog",
            "Serilog", "Serilog.Extensions.Hosting", "Serilog.Extensions.Logging", "Serilog.Formatting.Compact", "Serilog.Sinks.Console", "Serilog.Sinks.File",
            "Microsoft.Extensions.DependencyInjection", "Microsoft.Extensions.DependencyInjection.Abstractions",
            "Microsoft.Extensions.Diagnostics.HealthChecks", "Microsoft.Extensions.Diagnostics.HealthChecks.Abstractions",
            "Microsoft.Extensions.Hosting", "Microsoft.Extensions.Hosting.Abstractions", "Microsoft.Extensions.Hosting.Systemd", "Microsoft.Extensions.Options",
        ],
    };

    /// <summary>Types that know the time, the outside world, or another thread.</summary>
    private static readonly string[] ForbiddenTypes =
    [
        "System.Console", "System.Random", "System.TimeProvider", "System.Diagnostics.Stopwatch", "System.Diagnostics.Process",
        "System.Security.Cryptography.RandomNumberGenerator", "System.Timers.Timer", "System.Diagnostics.Trace",
    ];

    private static readonly string[] ForbiddenNamespaces =
    [
        "System.Threading.Tasks", "System.Net.Sockets", "System.Net.NetworkInformation", "System.IO", "System.Collections.Concurrent",
        "System.Threading.Channels", "Microsoft.Extensions.Logging", "Serilog", "Akka",
    ];

    /// <summary>Of System.Threading only what counting references from several threads needs.</summary>
    private static readonly string[] AllowedThreading = ["Interlocked", "Volatile", "Lock", "Scope"];

    private static readonly string[] ForbiddenMembers =
    [
        "System.DateTime.get_Now", "System.DateTime.get_UtcNow", "System.DateTime.get_Today", "System.DateTimeOffset.get_Now",
        "System.DateTimeOffset.get_UtcNow", "System.Environment.get_TickCount", "System.Environment.get_TickCount64", "System.Guid.NewGuid",
        "System.Environment.GetEnvironmentVariable",
    ];

    /// <summary>Functions of the C library, whose last bit differs between machines.</summary>
    private static readonly string[] InexactFunctions =
    [
        .. from type in (string[])["Math", "MathF", "Double", "Single"]
           from function in (string[])["Acos", "Asin", "Atan", "Atan2", "Cbrt", "Cos", "Cosh", "Exp", "Log", "Log10", "Log2", "Pow", "RootN", "Sin", "SinCos", "Sinh", "Tan", "Tanh"]
           select $"System.{type}.{function}",
    ];

    public static TheoryData<string> Assemblies => [.. Allowed.Keys];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void An_assembly_refers_only_to_those_below_it(string name) => Read(name, metadata =>
    {
        var referenced = metadata.AssemblyReferences
            .Select(handle => metadata.GetString(metadata.GetAssemblyReference(handle).Name))
            .Where(IsOurs);
        Assert.Empty(referenced.Except(Allowed[name]));
    });

    [Theory]
    [InlineData("Tapwire.Stack")]
    [InlineData("Tapwire.Names")]
    public void An_engine_uses_no_clock_thread_task_socket_random_source_console_or_logger(string name) => Read(name, metadata =>
    {
        var types = metadata.TypeReferences.Select(metadata.GetTypeReference)
            .Select(type => (Namespace: metadata.GetString(type.Namespace), Name: metadata.GetString(type.Name)))
            .ToList();
        Assert.Contains(("System", "Object"), types);
        Assert.Empty(types.Select(type => $"{type.Namespace}.{type.Name}").Intersect(ForbiddenTypes));
        Assert.DoesNotContain(types, type => Array.Exists(ForbiddenNamespaces, n => $"{type.Namespace}.".StartsWith(n + ".", StringComparison.Ordinal)));
        Assert.Empty(types.Where(type => type.Namespace == "System.Threading").Select(type => type.Name).Except(AllowedThreading));
        Assert.Empty(Members(metadata).Intersect(ForbiddenMembers));
    });

    [Theory]
    [InlineData("Tapwire.Stack")]
    [InlineData("Tapwire.Names")]
    [InlineData("Tapwire.Messages")]
    [InlineData("Tapwire.Actors")]
    [InlineData("Tapwire.Wires")]
    [InlineData("Tapwire.Net")]
    [InlineData("Tapwire.Lab")]
    public void What_a_seed_repeats_computes_the_same_on_every_machine(string name) => Read(name, metadata => Assert.Empty(Members(metadata).Intersect(InexactFunctions)));

    [Fact]
    public void The_engine_refers_to_nothing_but_the_base_class_library() => Read("Tapwire.Stack", metadata => Assert.All(
        metadata.AssemblyReferences.Select(handle => metadata.GetString(metadata.GetAssemblyReference(handle).Name)),
        name => Assert.StartsWith("System.", name, StringComparison.Ordinal)));

    private static bool IsOurs(string assembly) =>
        assembly.StartsWith("Tapwire", StringComparison.OrdinalIgnoreCase) || assembly.StartsWith("Akka", StringComparison.Ordinal) || assembly.StartsWith("BouncyCastle", StringComparison.Ordinal)
        || assembly.StartsWith("Serilog", StringComparison.Ordinal) || assembly.StartsWith("Microsoft.Extensions", StringComparison.Ordinal);

    private static IEnumerable<string> Members(MetadataReader metadata)
    {
        foreach (var handle in metadata.MemberReferences)
        {
            var member = metadata.GetMemberReference(handle);
            if (member.Parent.Kind != HandleKind.TypeReference)
                continue;
            var type = metadata.GetTypeReference((TypeReferenceHandle)member.Parent);
            yield return $"{metadata.GetString(type.Namespace)}.{metadata.GetString(type.Name)}.{metadata.GetString(member.Name)}";
        }
    }

    private static void Read(string assembly, Action<MetadataReader> check)
    {
        using var file = File.OpenRead(Path.Combine(AppContext.BaseDirectory, assembly + ".dll"));
        using var image = new PEReader(file);
        check(image.GetMetadataReader());
    }
}
