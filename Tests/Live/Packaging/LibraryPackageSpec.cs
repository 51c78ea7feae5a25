using System.IO.Compression;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Packaging;

/// <summary>The packages for .NET programs, as somebody else gets them: from a folder, into a new project outside the tree.</summary>
[Collection(PackagingCollection.Name)]
public sealed partial class LibraryPackageSpec(PublishedProgram published)
{
    [SkippableTheory]
    [InlineData("Tapwire.Client", "", "Tapwire.Client Tapwire.Links Tapwire.Posix Tapwire.Stack")]
    [InlineData("Tapwire", "Akka BouncyCastle.Cryptography Tapwire.Client", "Tapwire.Actors Tapwire.Configuration Tapwire.Messages Tapwire.Names Tapwire.Net Tapwire.Proxy Tapwire.Wires")]
    [InlineData("Tapwire.AspNetCore", "Tapwire", "Tapwire.AspNetCore")]
    [InlineData("Tapwire.Lab", "Akka Tapwire", "Tapwire.Lab")]
    public void A_package_has_its_assemblies_documents_and_symbols_and_no_dependency_that_it_does_not_need(string package, string dependencies, string assemblies)
    {
        using var archive = ZipFile.OpenRead(Path.Combine(published.LibraryFeed, $"{package}.{published.LibraryVersion}.nupkg"));
        using var stream = archive.Entries.Single(static entry => entry.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
        var specification = XDocument.Load(stream);
        XElement One(string name) => specification.Descendants().Single(each => each.Name.LocalName == name);
        Assert.Equal("MIT", One("license").Value);
        Assert.NotEmpty(One("description").Value);
        Assert.NotNull(archive.GetEntry(One("readme").Value));
        Assert.Equal(Words(dependencies), specification.Descendants().Where(static each => each.Name.LocalName == "dependency").Select(static each => each.Attribute("id")!.Value).Order(StringComparer.Ordinal));
        string[] Of(ZipArchive from, string extension) => [.. from.Entries.Where(entry => entry.FullName.StartsWith("lib/net10.0/", StringComparison.Ordinal) && entry.Name.EndsWith(extension, StringComparison.Ordinal))
            .Select(entry => entry.Name[..^extension.Length]).Order(StringComparer.Ordinal)];
        Assert.Equal(Words(assemblies), Of(archive, ".dll"));
        Assert.Equal(Words(assemblies), Of(archive, ".xml"));
        using var symbols = ZipFile.OpenRead(Path.Combine(published.LibraryFeed, $"{package}.{published.LibraryVersion}.snupkg"));
        Assert.Equal(Words(assemblies), Of(symbols, ".pdb"));
    }

    [SkippableFact]
    public void What_the_readme_shows_compiles_with_the_packages()
    {
        var snippets = Snippets().Matches(File.ReadAllText(Path.Combine(PublishedProgram.Tree, "README.md"))).Select(static match => match.Groups[1].Value).ToList();
        Assert.InRange(snippets.Count, 5, 20);
        for (var i = 0; i < snippets.Count; i++)
            Build($"snippet{i}", snippets[i], snippets[i].Contains("AspNetCore", StringComparison.Ordinal) ? "Tapwire.AspNetCore" : snippets[i].Contains("Lab.", StringComparison.Ordinal) ? "Tapwire.Lab" : snippets[i].Contains("ToDriver", StringComparison.Ordinal) ? "Tapwire.Client" : "Tapwire");
    }

    [SkippableFact]
    public void A_new_program_serves_and_asks_itself_by_stream_http_and_kestrel()
    {
        using var space = NetworkNamespace.Create();
        var program = Build("everything", """
            using Tapwire;
            using Tapwire.AspNetCore;

            await using var network = await TapwireNetwork.StartAsync(new() { Wire = "tap:tw0", Addresses = ["10.99.0.2/24"] });
            var builder = WebApplication.CreateSlimBuilder(args);
            builder.Logging.ClearProviders();
            builder.WebHost.UseTapwire(network).UseUrls("http://10.99.0.2:80");
            var app = builder.Build();
            app.MapGet("/", () => "hello");
            await app.StartAsync();
            using var http = new HttpClient(network.CreateHttpHandler());
            Console.WriteLine(await http.GetStringAsync("http://10.99.0.2/"));
            await using var listener = await network.ListenAsync(8080);
            await using var client = await network.ConnectAsync("10.99.0.2", 8080);
            await using var server = await listener.AcceptAsync();
            await client.WriteAsync("by stream"u8.ToArray());
            var bytes = new byte[9];
            await server.ReadExactlyAsync(bytes);
            Console.WriteLine(System.Text.Encoding.ASCII.GetString(bytes));
            await app.StopAsync();
            """, "Tapwire.AspNetCore");
        Assert.Equal("hello\nby stream\n", space.Exec(TapwireProgram.Host, program));
    }

    private static string[] Words(string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>A console project with one of the packages, and those of others whose names it uses as namespaces.</summary>
    /// <returns>The path of its assembly.</returns>
    private string Build(string name, string program, string package)
    {
        var folder = Path.Combine(published.Directory, name);
        Directory.CreateDirectory(folder);
        var references = Versions().Matches(File.ReadAllText(Path.Combine(PublishedProgram.Tree, "Directory.Packages.props"))).Select(static match => (Name: match.Groups[1].Value, Version: match.Groups[2].Value))
            .Where(each => program.Contains($"using {each.Name};", StringComparison.Ordinal)).Prepend((Name: package, Version: published.LibraryVersion))
            .Select(static each => $"""<PackageReference Include="{each.Name}" Version="{each.Version}" />""");
        File.WriteAllText(Path.Combine(folder, "Program.cs"), program);
        File.WriteAllText(Path.Combine(folder, $"{name}.csproj"), $"""
            <Project Sdk="Microsoft.NET.Sdk{(package == "Tapwire.AspNetCore" ? ".Web" : "")}">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <Nullable>enable</Nullable>
                <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
                <NuGetAudit>false</NuGetAudit>
                <RestoreAdditionalProjectSources>{published.LibraryFeed}</RestoreAdditionalProjectSources>
              </PropertyGroup>
              <ItemGroup>
                {string.Join(' ', references)}
              </ItemGroup>
            </Project>
            """);
        var ended = PublishedProgram.Run(TapwireProgram.Host, "build", folder, "-nodeReuse:false", "--nologo", "-o", Path.Combine(folder, "out"));
        var unreachable = ended.ExitCode == 0 ? null : ended.Output.Split('\n').FirstOrDefault(static line => line.Contains("error NU1301", StringComparison.Ordinal));
        Skip.If(unreachable is not null, $"the packages that Tapwire's depend on are not here: {unreachable?.Trim()}");
        Assert.True(ended.ExitCode == 0, $"{name}:\n{program}\n{ended.Output}{ended.Error}");
        return Path.Combine(folder, "out", $"{name}.dll");
    }

    [GeneratedRegex("""^```csharp\n(.*?)^```""", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Snippets();

    [GeneratedRegex("""<PackageVersion Include="([^"]+)" Version="([^"]+)" />""")]
    private static partial Regex Versions();
}
