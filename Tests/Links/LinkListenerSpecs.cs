using System.Net.Sockets;
using Tapwire.Links;
using Tapwire.Posix;
using Tapwire.Tests.Links.Support;
using Xunit;

namespace Tapwire.Tests.Links;

[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class LinkListenerSpecs : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("tapwire-link-").FullName;

    private string Path => System.IO.Path.Combine(_directory, "link.sock");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void The_socket_is_its_owners_alone_and_so_is_the_directory_made_for_it()
    {
        var path = System.IO.Path.Combine(_directory, "a", "link.sock");
        using var listener = LinkListener.Listen(path);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute,
            File.GetUnixFileMode(System.IO.Path.GetDirectoryName(path)!));
    }

    [Fact]
    public void A_directory_that_is_made_for_other_users_too_lets_them_through()
    {
        var directory = System.IO.Path.Combine(_directory, "a");
        using var listener = LinkListener.Listen(System.IO.Path.Combine(directory, "link.sock"), [65_534]);
        Assert.Equal((UnixFileMode)0b111_001_001, File.GetUnixFileMode(directory));
    }

    [Fact]
    public void The_directories_above_are_not_made()
    {
        var directory = System.IO.Path.Combine(_directory, "a");
        var e = Assert.Throws<LinkListenException>(() => LinkListener.Listen(System.IO.Path.Combine(directory, "b", "link.sock")));
        Assert.Equal($"The directory '{directory}' is not there, and '{directory}/b' for the link socket is not made without it; make it, or choose another path with --link.", e.Message);
        Assert.False(Directory.Exists(directory));
    }

    [Fact]
    public void What_is_no_directory_is_refused()
    {
        var file = System.IO.Path.Combine(_directory, "file");
        File.WriteAllText(file, "");
        var e = Assert.Throws<LinkListenException>(() => LinkListener.Listen(System.IO.Path.Combine(file, "link.sock")));
        Assert.Contains("is not a directory", e.Message, StringComparison.Ordinal);
        File.CreateSymbolicLink(System.IO.Path.Combine(_directory, "dangling"), "nowhere");
        e = Assert.Throws<LinkListenException>(() => LinkListener.Listen(System.IO.Path.Combine(_directory, "dangling", "link.sock")));
        Assert.Contains("is not a directory", e.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_directory_or_a_link_to_one_that_somebody_else_has_put_there_is_refused_by_his_name()
    {
        const uint squatter = 12_345;
        var directory = System.IO.Path.Combine(_directory, "squatted");
        Directory.CreateDirectory(directory);
        Skip.IfNot(OtherUser.TryOwn(directory, squatter), "needs the right to give files away");
        var e = Assert.Throws<LinkListenException>(() => LinkListener.Listen(System.IO.Path.Combine(directory, "link.sock")));
        Assert.Equal($"The directory '{directory}' of the link socket belongs to user 12345, not to root; have it removed, or choose another path with --link.", e.Message);

        var own = Directory.CreateDirectory(System.IO.Path.Combine(_directory, "own")).FullName;
        var link = System.IO.Path.Combine(_directory, "link");
        File.CreateSymbolicLink(link, own);
        LinkListener.Listen(System.IO.Path.Combine(link, "link.sock")).Dispose();
        Assert.True(OtherUser.TryOwn(link, squatter));
        e = Assert.Throws<LinkListenException>(() => LinkListener.Listen(System.IO.Path.Combine(link, "link.sock")));
        Assert.Contains("belongs to user 12345", e.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_socket_that_somebody_else_has_left_is_refused_by_his_name_and_not_removed()
    {
        LeaveStale();
        Skip.IfNot(OtherUser.TryOwn(Path, 12_345), "needs the right to give files away");
        var e = Assert.Throws<LinkListenException>(() => LinkListener.Listen(Path));
        Assert.Equal($"The socket '{Path}' was left by user 12345, not by root; have it removed, or choose another path with --link.", e.Message);
        Assert.True(File.Exists(Path));
    }

    [SkippableFact]
    public void The_driver_of_another_user_is_told_from_ones_own()
    {
        using var first = LinkListener.Listen(Path);
        Skip.IfNot(OtherUser.TryOwn(Path, 12_345), "needs the right to give files away");
        var e = Assert.Throws<LinkListenException>(() => LinkListener.Listen(Path));
        Assert.Equal($"A driver of user 12345 is running on '{Path}'; have it stopped, or choose another path with --link.", e.Message);
    }

    [Fact]
    public void No_connection_is_no_session()
    {
        using var listener = LinkListener.Listen(Path);
        Assert.Equal(AcceptResult.None, listener.TryAccept(out var session, out _));
        Assert.Null(session);
    }

    [Fact]
    public void The_owner_is_admitted_with_his_credentials()
    {
        using var listener = LinkListener.Listen(Path);
        using var client = Connect();
        Assert.Equal(AcceptResult.Accepted, listener.TryAccept(out var session, out var peer));
        Assert.Equal(Environment.ProcessId, peer.ProcessId);
        Assert.Equal(peer, session!.Peer);
        session.Dispose();
    }

    [Theory]
    [InlineData(1000u, 1000u, true)]
    [InlineData(0u, 1000u, true)]
    [InlineData(1001u, 1000u, false)]
    [InlineData(1000u, 0u, false)]
    [InlineData(0u, 0u, true)]
    public void Only_the_owner_and_root_are_admitted(uint peer, uint owner, bool admitted) =>
        Assert.Equal(admitted, LinkListener.IsAdmitted(new PeerCredentials(1, peer, 100), owner));

    [SkippableFact]
    public void Another_user_who_is_named_is_admitted_and_a_third_is_not()
    {
        const uint nobody = 65_534, third = 65_533;
        using var listener = LinkListener.Listen(Path, [nobody]);
        File.SetUnixFileMode(_directory, (UnixFileMode)0b111_101_101);
        using var admitted = ConnectAs(nobody);
        Assert.Equal(AcceptResult.Accepted, listener.TryAccept(out var session, out var peer));
        Assert.Equal(nobody, peer.UserId);
        session!.Dispose();
        using var refused = ConnectAs(third);
        Assert.Equal(AcceptResult.Refused, listener.TryAccept(out _, out peer));
        Assert.Equal(third, peer.UserId);

        Socket ConnectAs(uint user)
        {
            Socket? client = null;
            Skip.IfNot(OtherUser.TryRun(user, () => client = Connect()), "needs the right to change users");
            return client!;
        }
    }

    [SkippableFact]
    public void Another_user_is_stopped_by_the_files_mode_and_where_that_was_loosened_by_his_credentials()
    {
        const uint nobody = 65_534;
        using var listener = LinkListener.Listen(Path);
        File.SetUnixFileMode(_directory, (UnixFileMode)0b111_101_101);
        var error = SocketError.Success;
        var changed = OtherUser.TryRun(nobody, () => error = Assert.ThrowsAny<SocketException>(() => Connect()).SocketErrorCode);
        Skip.IfNot(changed, "needs the right to change users");
        Assert.Equal(SocketError.AccessDenied, error);
        Assert.Equal(AcceptResult.None, listener.TryAccept(out _, out _));

        File.SetUnixFileMode(Path, (UnixFileMode)0b110_110_110);
        Socket? client = null;
        OtherUser.TryRun(nobody, () => client = Connect());
        Assert.Equal(AcceptResult.Refused, listener.TryAccept(out var session, out var peer));
        Assert.Null(session);
        Assert.Equal(nobody, peer.UserId);
        Assert.Equal(0, client!.Receive(new byte[16]));
        client.Dispose();
    }

    [Fact]
    public void A_second_driver_on_the_same_path_is_told_so()
    {
        using var first = LinkListener.Listen(Path);
        var e = Assert.Throws<LinkListenException>(() => LinkListener.Listen(Path));
        Assert.Contains("Another driver is running", e.Message, StringComparison.Ordinal);
        Assert.Contains(Path, e.Message, StringComparison.Ordinal);
        using var client = Connect();
    }

    [Fact]
    public void The_socket_of_a_driver_that_is_gone_is_replaced()
    {
        LeaveStale();
        using var listener = LinkListener.Listen(Path);
        using var client = Connect();
        Assert.Equal(AcceptResult.Accepted, listener.TryAccept(out var session, out _));
        session!.Dispose();
    }

    [Fact]
    public void A_file_that_is_no_socket_is_left_alone()
    {
        File.WriteAllText(Path, "precious");
        var e = Assert.Throws<LinkListenException>(() => LinkListener.Listen(Path));
        Assert.Contains("not a socket", e.Message, StringComparison.Ordinal);
        Assert.Equal("precious", File.ReadAllText(Path));
    }

    [Fact]
    public void A_directory_that_others_can_write_is_refused()
    {
        File.SetUnixFileMode(_directory, (UnixFileMode)0b111_111_111);
        var e = Assert.Throws<LinkListenException>(() => LinkListener.Listen(Path));
        Assert.Contains("written by others", e.Message, StringComparison.Ordinal);
        File.SetUnixFileMode(_directory, UnixFileMode.StickyBit | (UnixFileMode)0b111_111_111);
        using var listener = LinkListener.Listen(Path);
    }

    [Theory]
    [InlineData("")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public void A_path_that_the_kernel_does_not_take_is_refused_with_the_reason(string name)
    {
        var e = Assert.ThrowsAny<Exception>(() => LinkListener.Listen(System.IO.Path.Combine(_directory, name)));
        Assert.IsType<LinkListenException>(e);
        Assert.Contains("--link", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_socket_file_goes_with_its_driver_but_not_that_of_the_next_one()
    {
        var first = LinkListener.Listen(Path);
        File.Delete(Path);
        var second = LinkListener.Listen(Path);
        first.Dispose();
        Assert.True(File.Exists(Path));
        second.Dispose();
        Assert.False(File.Exists(Path));
        second.Dispose();
    }

    private void LeaveStale()
    {
        using (var dead = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            dead.Bind(new UnixDomainSocketEndPoint(Path));
            // .NET removes the file of a socket that it closes; a driver that was killed leaves it.
            File.Move(Path, Path + ".kept");
        }

        File.Move(Path + ".kept", Path);
    }

    private Socket Connect()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(Path));
        return socket;
    }
}
