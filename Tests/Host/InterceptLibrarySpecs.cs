using Tapwire.Host;
using Xunit;

namespace Tapwire.Tests.Host;

/// <summary>Where libtapwire.so comes from when the program is a single file.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class InterceptLibrarySpecs : IDisposable
{
    private const uint OwnersAlone = 0b111_000_000;

    private static readonly byte[] Library = [1, 2, 3];

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-library-");

    private string Cache => Path.Combine(_directory.FullName, "cache", "tapwire");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void It_is_written_into_a_directory_of_the_users_own()
    {
        var path = Extract(Cache);
        Assert.Equal(Cache, Path.GetDirectoryName(path));
        Assert.Equal(Library, File.ReadAllBytes(path));
        Assert.Equal((UnixFileMode)OwnersAlone, File.GetUnixFileMode(Cache));
        Assert.Equal((UnixFileMode)OwnersAlone, File.GetUnixFileMode(Path.GetDirectoryName(Cache)!));
        Assert.Single(Directory.GetFileSystemEntries(Cache));
    }

    [Fact]
    public void One_that_is_there_is_used()
    {
        var path = Extract(Cache);
        var written = new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        File.SetLastWriteTimeUtc(path, written);
        Assert.Equal(path, Extract(Cache));
        Assert.Equal(written, File.GetLastWriteTimeUtc(path));
    }

    [Fact]
    public void One_that_is_not_whole_is_written_again()
    {
        var path = Extract(Cache);
        File.WriteAllBytes(path, [1]);
        Assert.Equal(path, Extract(Cache));
        Assert.Equal(Library, File.ReadAllBytes(path));
    }

    [Fact]
    public void A_link_in_its_place_is_replaced_and_not_followed()
    {
        var path = Extract(Cache);
        var other = Path.Combine(_directory.FullName, "other");
        File.WriteAllBytes(other, Library);
        File.Delete(path);
        File.CreateSymbolicLink(path, other);
        Assert.Null(File.ResolveLinkTarget(Extract(Cache), returnFinalTarget: false));
    }

    [Fact]
    public void A_directory_that_others_can_write_to_is_left_alone_and_the_next_one_used()
    {
        var open = _directory.CreateSubdirectory("open").FullName;
        File.SetUnixFileMode(open, (UnixFileMode)0b111_111_111);
        Assert.Equal(Cache, Path.GetDirectoryName(Extract(open, Cache)));
        Assert.Empty(Directory.GetFileSystemEntries(open));
    }

    [Fact]
    public void Where_no_directory_will_do_the_line_says_why_of_each_and_what_to_do()
    {
        var file = Path.Combine(_directory.FullName, "file");
        File.WriteAllText(file, "");
        var link = Path.Combine(_directory.FullName, "link");
        File.CreateSymbolicLink(link, _directory.FullName);
        var nowhere = Path.Combine(_directory.FullName, "no", "such", "place");
        var refused = Assert.Throws<CommandFailedException>(() => Extract(file, link, nowhere));
        Assert.Contains($"{file} is no directory; {link} is no directory; {nowhere} has no parent directory.", refused.Message, StringComparison.Ordinal);
        Assert.Contains("XDG_CACHE_HOME", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0u, null, "/root", "/var/cache/tapwire /root/.cache/tapwire /var/tmp/tapwire-0")]
    [InlineData(1000u, null, "/home/me", "/home/me/.cache/tapwire /var/tmp/tapwire-1000")]
    [InlineData(1000u, "/cache", "/home/me", "/cache/tapwire /var/tmp/tapwire-1000")]
    [InlineData(1000u, "relative", null, "/var/tmp/tapwire-1000")]
    public void Directories_are_those_that_the_system_has_for_it(uint user, string? cache, string? home, string expected) => Assert.Equal(expected, string.Join(' ',
        InterceptLibrary.Directories(name => name == "HOME" ? home : name == "XDG_CACHE_HOME" ? cache : null, user).Select(static directory => directory.Path)));

    private static string Extract(params string[] directories) => InterceptLibrary.Extract(Library, directories.Select(static path => (path, OwnersAlone)));
}
