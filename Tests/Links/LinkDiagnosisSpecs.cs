using System.Net.Sockets;
using Tapwire.Links;
using Tapwire.Links.Client;
using Tapwire.Links.Protocol;
using Tapwire.Tests.Links.Support;
using Xunit;

namespace Tapwire.Tests.Links;

/// <summary>Why a client does not reach a driver.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class LinkDiagnosisSpecs : IDisposable
{
    private const uint Stranger = 12_345;
    private const string Advice = "; start one with 'tapwire up', or name its socket with --link.";

    private readonly string _directory = Directory.CreateTempSubdirectory("tapwire-reach-").FullName;

    private string Path => System.IO.Path.Combine(_directory, "link.sock");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Nothing_is_there()
    {
        await ExpectAsync($"No driver answers at '{Path}'{Advice}");
        await ExpectAsync($"No driver answers at '{_directory}/no/link.sock'{Advice}", System.IO.Path.Combine(_directory, "no", "link.sock"));
    }

    [Fact]
    public async Task A_driver_that_was_killed_has_left_its_socket()
    {
        using (Listening())
            File.Move(Path, Path + ".kept");
        File.Move(Path + ".kept", Path);
        await ExpectAsync($"No driver answers at '{Path}', where one has left its socket{Advice}");
    }

    [Fact]
    public async Task What_is_there_is_no_socket()
    {
        File.WriteAllText(Path, "");
        await ExpectAsync($"'{Path}' is not a socket; name its socket with --link.");
        await ExpectAsync($"'{_directory}' is a directory and no driver's socket; name its socket with --link.", _directory);
    }

    [Fact]
    public async Task The_path_is_too_long_or_empty()
    {
        var path = "/tmp/" + new string('a', 103);
        var e = await ExpectAsync($"The link path '{path}' has 108 bytes; 1 to 107 are allowed. Name another one with --link.", path);
        Assert.Equal(SocketError.InvalidArgument, e.SocketErrorCode);
        await ExpectAsync("The link path '' has 0 bytes; 1 to 107 are allowed. Name another one with --link.", "");
        path = path[..107];
        await ExpectAsync($"No driver answers at '{path}'{Advice}", path);
    }

    [Fact]
    public async Task A_datagram_socket_is_no_driver()
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(Path));
        await ExpectAsync($"What listens at '{Path}' is no Tapwire driver; name its socket with --link.");
    }

    [Theory]
    [InlineData("HTTP/1.1 400 Bad Request\r\n\r\n")]
    [InlineData("220 smtp\r\n")]
    public async Task What_says_something_else_is_no_driver(string greeting)
    {
        using var listener = Listening();
        var answering = AnswerAsync(listener, System.Text.Encoding.ASCII.GetBytes(greeting));
        var e = await Assert.ThrowsAsync<LinkProtocolException>(() => TapwireClient.ConnectAsync(Path));
        Assert.Equal($"What listens at '{Path}' is no Tapwire driver: it does not speak the link protocol; name the driver's socket with --link.", e.Message);
        await answering;
    }

    [Fact]
    public async Task A_driver_of_another_version_is_told_so()
    {
        using var listener = Listening();
        var answering = AnswerAsync(listener, LinkHarness.Hello(7));
        var e = await Assert.ThrowsAsync<LinkProtocolException>(() => TapwireClient.ConnectAsync(Path));
        Assert.Equal($"The driver at '{Path}' speaks version 7 of the link protocol, this program version 1: use the same release on both sides, and restart the driver after an update.", e.Message);
        await answering;
    }

    [Fact]
    public async Task A_driver_that_closes_at_once_on_its_own_user_is_ending()
    {
        using var listener = Listening();
        var answering = AnswerAsync(listener, []);
        var e = await ExpectAsync($"The driver at '{Path}' has closed the connection at once: it is ending, or has no descriptor left; look at its log.");
        Assert.Equal(SocketError.ConnectionReset, e.SocketErrorCode);
        await answering;
    }

    [Theory]
    [InlineData(0u, 1234567u, SocketError.AccessDenied, "belongs to root and does not admit user 1234567: its owner must name you in its setting tapwire.link.users; ")]
    [InlineData(1234567u, 1234568u, SocketError.AccessDenied, "belongs to user 1234567 and does not admit user 1234568: ")]
    [InlineData(1234567u, 1234567u, SocketError.ConnectionReset, "it is ending, or has no descriptor left")]
    [InlineData(1234567u, 0u, SocketError.ConnectionReset, "it is ending, or has no descriptor left")]
    public void A_driver_that_closes_at_once_on_another_user_does_not_admit_him(uint owner, uint user, SocketError error, string text)
    {
        var e = LinkDiagnosis.OfClosed(Path, owner, user);
        Assert.Equal(error, e.SocketErrorCode);
        Assert.Contains(text, e.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task The_file_does_not_let_another_user_through()
    {
        using var listener = LinkListener.Listen(Path);
        File.SetUnixFileMode(_directory, (UnixFileMode)0b111_101_101);
        var e = await AsStrangerAsync();
        Assert.Equal(SocketError.AccessDenied, e.SocketErrorCode);
        Assert.Equal($"The driver at '{Path}' belongs to root and does not admit user {Stranger}: its owner must name you in its setting tapwire.link.users; "
            + "or start a driver of your own with 'tapwire up', or name its socket with --link.", e.Message);
    }

    [SkippableFact]
    public async Task A_directory_does_not_let_another_user_through()
    {
        var closed = Directory.CreateDirectory(System.IO.Path.Combine(_directory, "closed")).FullName;
        File.SetUnixFileMode(_directory, (UnixFileMode)0b111_101_101);
        File.SetUnixFileMode(closed, (UnixFileMode)0b111_000_000);
        using var listener = LinkListener.Listen(System.IO.Path.Combine(closed, "link.sock"));
        var e = await AsStrangerAsync(listener.Path);
        Assert.Equal(SocketError.AccessDenied, e.SocketErrorCode);
        Assert.StartsWith($"The directory '{closed}' of the link '{listener.Path}' belongs to root and does not let user {Stranger} through: ", e.Message, StringComparison.Ordinal);
        Assert.Contains("tapwire.link.users", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_queue_is_waited_for_until_the_caller_gives_up()
    {
        using var listener = Listening(backlog: 0);
        using var first = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        first.Connect(new UnixDomainSocketEndPoint(Path));
        using var cancel = new CancellationTokenSource();
        var connecting = TapwireClient.ConnectAsync(Path, cancel.Token);
        Assert.False(connecting.IsCompleted);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => connecting);

        var second = TapwireClient.ConnectAsync(Path);
        Assert.False(second.IsCompleted);
        using var accepted = await listener.AcceptAsync();
        using var served = await listener.AcceptAsync();
        await served.SendAsync(LinkHarness.Hello());
        (await second).Dispose();
    }

    private static async Task AnswerAsync(Socket listener, byte[] greeting)
    {
        using var session = await listener.AcceptAsync();
        await session.ReceiveAsync(new byte[LinkProtocol.HelloSize]);
        await session.SendAsync(greeting);
    }

    private async Task<SocketException> ExpectAsync(string message, string? path = null)
    {
        var e = await Assert.ThrowsAsync<SocketException>(() => TapwireClient.ConnectAsync(path ?? Path));
        Assert.Equal(message, e.Message);
        return e;
    }

    /// <summary>The connection is tried on a thread of another user; what is said then is about that user, too.</summary>
    private Task<SocketException> AsStrangerAsync(string? path = null)
    {
        SocketException? failure = null;
        var changed = OtherUser.TryRun(Stranger, () => failure = Assert.Throws<SocketException>(() => TapwireClient.Connect(path ?? Path)));
        Skip.IfNot(changed, "needs the right to change users");
        return Task.FromResult(failure!);
    }

    private Socket Listening(int backlog = 5)
    {
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(Path));
        listener.Listen(backlog);
        return listener;
    }
}
