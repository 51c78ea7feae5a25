using System.Diagnostics;
using System.Runtime.InteropServices;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Packaging;

/// <summary>Specs of packages: they take from one build, one after the other, beside all others.</summary>
[CollectionDefinition(Name)]
public sealed class PackagingCollection : ICollectionFixture<PublishedProgram>
{
    public const string Name = "Packaging";
}

/// <summary>
/// The program as it is published and packed from this tree, into a directory of its own: nothing of the tree is changed. Made when a spec first asks, once for all of them.
/// </summary>
public sealed class PublishedProgram : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);

    private readonly DirectoryInfo _directory = System.IO.Directory.CreateTempSubdirectory("tapwire-packaging-");
    private readonly Lazy<string> _singleFile;
    private readonly Lazy<string> _toolFeed;
    private readonly Lazy<string> _libraryFeed;

    public PublishedProgram()
    {
        // Users that programs run as must get there.
        Run("chmod", "0755", Directory);
        _singleFile = new Lazy<string>(PublishSingleFile);
        _toolFeed = new Lazy<string>(PackTool);
        _libraryFeed = new Lazy<string>(PackLibraries);
    }

    /// <summary>For what specs make of it.</summary>
    public string Directory => _directory.FullName;

    /// <summary>Where the single file is, with what is shipped beside it.</summary>
    public string SingleFile => _singleFile.Value;

    /// <summary>A folder that is a NuGet source, and has the tool's package.</summary>
    public string ToolFeed => _toolFeed.Value;

    /// <summary>A folder that is a NuGet source, and has the packages of the libraries in <see cref="LibraryVersion"/>.</summary>
    public string LibraryFeed => _libraryFeed.Value;

    /// <summary>A version of its own: what is unpacked of it is nobody else's.</summary>
    public string LibraryVersion { get; } = $"0.0.1-spec{Environment.ProcessId}";

    /// <summary>The tree that these specs were built from.</summary>
    public static string Tree
    {
        get
        {
            var folder = new DirectoryInfo(AppContext.BaseDirectory);
            while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Tapwire.slnx")))
                folder = folder.Parent;
            Skip.If(folder is null, "the specs do not run within their tree");
            return folder!.FullName;
        }
    }

    private static readonly (string Folder, string Package)[] Libraries = [("Client", "Tapwire.Client"), ("Net", "Tapwire"), ("AspNetCore", "Tapwire.AspNetCore"), ("Lab", "Tapwire.Lab")];

    private static string Runtime => RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.X64 ? "linux-x64" : "linux-arm64";

    public void Dispose()
    {
        _directory.Delete(recursive: true);
        var packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        foreach (var unpacked in Libraries.Select(each => Path.Combine(packages, each.Package.ToLowerInvariant(), LibraryVersion)).Where(System.IO.Directory.Exists))
            System.IO.Directory.Delete(unpacked, recursive: true);
    }

    /// <summary>Runs a command to its end, without what a test host tells the programs that it starts.</summary>
    public static CommandResult Run(string command, params string[] arguments)
    {
        var start = new ProcessStartInfo(command, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var name in start.Environment.Keys.Where(static name => name.StartsWith("MSBuild", StringComparison.OrdinalIgnoreCase)
            || name.StartsWith("VSTEST", StringComparison.OrdinalIgnoreCase)).ToList())
            start.Environment.Remove(name);
        start.Environment["DOTNET_CLI_UI_LANGUAGE"] = "en";
        Process process;
        try
        {
            process = Tests.Support.ProgramStart.Run(start);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return new CommandResult(127, "", e.Message);
        }

        using (process)
        {
            var output = process.StandardOutput.ReadToEndAsync();
            var error = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(Patience))
            {
                process.Kill(entireProcessTree: true);
                Assert.Fail($"{command} {string.Join(' ', arguments)} has not ended in {Patience.TotalMinutes} minutes.");
            }

            return new CommandResult(process.ExitCode, output.Result, error.Result);
        }
    }

    /// <summary>Not compiled ahead, which would take most of the time and change nothing of what specs look at.</summary>
    private string PublishSingleFile()
    {
        var into = Path.Combine(Directory, "published");
        Dotnet("publish", "-r", Runtime, "--self-contained", "-p:PublishSingleFile=true", "-p:PublishReadyToRun=false", "-o", into);
        return into;
    }

    private string PackTool()
    {
        var into = Path.Combine(Directory, "feed");
        Dotnet("pack", "-o", into);
        return into;
    }

    private string PackLibraries()
    {
        var into = Path.Combine(Directory, "library-feed");
        foreach (var (folder, _) in Libraries)
            DotnetIn(folder, "pack", "-o", into, $"-p:Version={LibraryVersion}");
        return into;
    }

    private void Dotnet(string verb, params string[] arguments)
    {
        Skip.If(Run("cc", "--version").ExitCode != 0, "there is no C compiler, and so no libtapwire.so");
        DotnetIn("Host", verb, arguments);
    }

    private void DotnetIn(string project, string verb, params string[] arguments)
    {
        var ended = Run(TapwireProgram.Host, [verb, Path.Combine(Tree, project), "-c", "Release", "--artifacts-path", Path.Combine(Directory, "artifacts"),
            "-nodeReuse:false", "--nologo", .. arguments]);
        // NU1101, NU1301: what is needed is not in the package cache, and no source answers.
        var unreachable = ended.ExitCode == 0 ? null : ended.Output.Split('\n').FirstOrDefault(static line => line.Contains("error NU1", StringComparison.Ordinal));
        Skip.If(unreachable is not null, $"'dotnet {verb}' does not get its packages: {unreachable?.Trim()}");
        Assert.True(ended.ExitCode == 0, $"dotnet {verb}:\n{ended.Output}{ended.Error}");
    }
}
