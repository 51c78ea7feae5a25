using Tapwire.Links.Client;
using Tapwire.Tests.Links.Support;
using Xunit;

namespace Tapwire.Tests.Links;

/// <summary>Where another user's driver may be told what a program does. Users are numbers here: files are given away, and nobody has to become anybody.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class LinkTrustSpecs : IDisposable
{
    private const uint User = 12_345;
    private const uint Peer = 12_346;
    private const uint Third = 12_347;

    // In /tmp, where everybody may make files; root has made it.
    private readonly string _directory = Directory.CreateTempSubdirectory("tapwire-trust-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData(0u)]
    [InlineData(User)]
    public void Root_and_oneself_are_trusted_wherever_they_listen(uint peer) => Assert.Null(LinkTrust.Weakness("/tmp/anything", peer, (User, User)));

    [Fact]
    public void The_real_user_of_a_process_that_has_taken_another_is_himself() => Assert.Null(LinkTrust.Weakness("/tmp/anything", User, (0, User)));

    [SkippableFact]
    public void Another_user_is_trusted_in_a_directory_that_root_has_given_him()
    {
        var path = Place(Peer, "his", "link.sock");
        Assert.Null(Weakness(path));
        Assert.Null(Weakness(Path.Combine(_directory, ".", "his", "..", "his", "link.sock")));
        Assert.Equal(Path.GetDirectoryName(path), LinkTrust.Weakness(path, Third, (User, User)));
    }

    [SkippableFact]
    public void A_directory_or_socket_of_a_third_user_is_not()
    {
        var path = Place(Peer, "his", "link.sock");
        Assert.True(OtherUser.TryOwn(path, Third));
        Assert.Equal(path, Weakness(path));
        Assert.True(OtherUser.TryOwn(path, Peer));
        Assert.True(OtherUser.TryOwn(Path.GetDirectoryName(path)!, Third));
        Assert.Equal(Path.GetDirectoryName(path), Weakness(path));
    }

    [SkippableFact]
    public void What_is_his_where_everybody_may_make_files_is_his_because_he_has_come_first()
    {
        var path = Place(Peer, "shared", "his", "link.sock");
        var shared = Path.Combine(_directory, "shared");
        Assert.True(OtherUser.TryOwn(shared, 0));
        File.SetUnixFileMode(shared, (UnixFileMode)0b1_111_111_111);
        Assert.Equal(Path.Combine(shared, "his"), Weakness(path));
        // What root or this user has made there is another matter.
        Assert.True(OtherUser.TryOwn(Path.Combine(shared, "his"), User));
        Assert.Null(Weakness(path));
        Assert.True(OtherUser.TryOwn(Path.Combine(shared, "his"), 0));
        Assert.Null(Weakness(path));
    }

    [SkippableFact]
    public void A_socket_directly_in_such_a_directory_neither()
    {
        var path = Place(Peer, "shared", "link.sock");
        File.SetUnixFileMode(Path.Combine(_directory, "shared"), (UnixFileMode)0b1_111_111_111);
        Assert.Equal(path, Weakness(path));
    }

    [SkippableTheory]
    [InlineData(0b111_111_101)]
    [InlineData(0b111_101_111)]
    public void A_directory_on_the_way_that_others_may_write_is_weak(int mode)
    {
        var path = Place(Peer, "his", "deeper", "link.sock");
        File.SetUnixFileMode(Path.Combine(_directory, "his"), (UnixFileMode)mode);
        Assert.Equal(Path.Combine(_directory, "his"), Weakness(path));
    }

    [SkippableFact]
    public void Symbolic_links_are_followed_and_each_is_looked_at()
    {
        var path = Place(Peer, "his", "link.sock");
        Assert.NotNull(File.CreateSymbolicLink(Path.Combine(_directory, "second"), "his"));
        Assert.NotNull(File.CreateSymbolicLink(Path.Combine(_directory, "first"), Path.Combine(_directory, "second", "..", "second")));
        var named = Path.Combine(_directory, "first", "link.sock");
        Assert.Null(Weakness(named));
        Assert.True(OtherUser.TryOwn(Path.Combine(_directory, "second"), Third));
        Assert.Equal(Path.Combine(_directory, "second"), Weakness(named));
        Assert.Null(Weakness(path));
    }

    [SkippableFact]
    public void A_circle_of_symbolic_links_ends()
    {
        Place(Peer, "his", "link.sock");
        File.CreateSymbolicLink(Path.Combine(_directory, "a"), "b");
        File.CreateSymbolicLink(Path.Combine(_directory, "b"), "a");
        Assert.NotNull(Weakness(Path.Combine(_directory, "a")));
    }

    [SkippableFact]
    public void What_is_not_there_is_nobodys()
    {
        Place(Peer, "his", "link.sock");
        Assert.Equal(Path.Combine(_directory, "none"), Weakness(Path.Combine(_directory, "none", "link.sock")));
        Assert.Equal(Path.Combine(_directory, "his", "link.sock"), Weakness(Path.Combine(_directory, "his", "link.sock", "more")));
    }

    private static string? Weakness(string path) => LinkTrust.Weakness(path, Peer, (User, User));

    /// <summary>Directories, all the owner's, and a file in the place of the socket.</summary>
    private string Place(uint owner, params string[] names)
    {
        File.SetUnixFileMode(_directory, (UnixFileMode)0b111_101_101);
        var path = _directory;
        foreach (var name in names)
        {
            path = Path.Combine(path, name);
            if (name == names[^1])
                File.WriteAllText(path, "");
            else
                Directory.CreateDirectory(path, (UnixFileMode)0b111_101_101);
            Skip.IfNot(OtherUser.TryOwn(path, owner), "needs the right to give files away");
        }

        return path;
    }
}
