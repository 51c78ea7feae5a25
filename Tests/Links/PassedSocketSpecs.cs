using System.Net;
using System.Net.Sockets;
using Tapwire.Links;
using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Links;

/// <summary>Sockets that a service manager has made, as real descriptors.</summary>
public sealed class PassedSocketSpecs : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("tapwire-passed-").FullName;

    private string Path => System.IO.Path.Combine(_directory, "link.sock");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData("42", "1", 1)]
    [InlineData("42", "3", 3)]
    [InlineData("42", "0", 0)]
    [InlineData("41", "1", 0)]
    [InlineData(null, "1", 0)]
    [InlineData("42", null, 0)]
    [InlineData("42", "-1", 0)]
    [InlineData("42", "many", 0)]
    [InlineData("", "", 0)]
    public void Descriptors_are_for_the_process_that_the_variables_name(string? process, string? count, int expected) =>
        Assert.Equal(expected, PassedSocket.CountFor(42, process, count));

    [Fact]
    public void What_was_passed_is_taken_once_and_no_child_takes_it_again()
    {
        string[] variables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];
        foreach (var (name, value) in variables.Zip([$"{Environment.ProcessId}", "1", "link"]))
            Environment.SetEnvironmentVariable(name, value);
        Assert.Equal(3, PassedSocket.Take());
        Assert.All(variables, static name => Assert.Null(Environment.GetEnvironmentVariable(name)));
        Assert.Null(PassedSocket.Take());
    }

    [Fact]
    public void A_passed_socket_serves_at_its_path_and_its_file_stays()
    {
        using (var listener = LinkListener.Adopt(Passed(), "", null))
        {
            Assert.Equal(Path, listener.Path);
            Assert.Equal(AcceptResult.None, listener.TryAccept(out _, out _));
            using var client = Connect();
            Assert.Equal(AcceptResult.Accepted, listener.TryAccept(out var session, out var peer));
            Assert.Equal(Environment.ProcessId, peer.ProcessId);
            session!.Dispose();
        }

        Assert.True(File.Exists(Path));
    }

    [Fact]
    public void It_is_not_for_children_and_does_not_block()
    {
        var descriptor = Passed();
        using var listener = LinkListener.Adopt(descriptor, "", null);
        Assert.Equal(Libc.FD_CLOEXEC, Libc.fcntl(descriptor, 1, 0));
        Assert.Equal(Libc.O_NONBLOCK, Libc.fcntl(descriptor, Libc.F_GETFL, 0) & Libc.O_NONBLOCK);
    }

    [Fact]
    public void Who_connected_before_the_driver_ran_is_served()
    {
        var descriptor = Passed();
        using var early = Connect();
        using var listener = LinkListener.Adopt(descriptor, "", null);
        Assert.Equal(AcceptResult.Accepted, listener.TryAccept(out var session, out _));
        session!.Dispose();
    }

    [Fact]
    public void A_path_that_leads_to_the_same_socket_is_no_contradiction()
    {
        LinkListener.Adopt(Passed(), Path, null).Dispose();
        File.Delete(Path);
        var link = System.IO.Path.Combine(_directory, "other.sock");
        File.CreateSymbolicLink(link, Path);
        LinkListener.Adopt(Passed(), link, null).Dispose();
    }

    [Theory]
    [InlineData("/elsewhere/link.sock")]
    [InlineData("off")]
    public void Another_path_is_refused(string path) =>
        Expect(Passed(), path, $"The service manager has passed the link's socket '{Path}', and --link or tapwire.link.path says '{path}'; leave that out, or pass no socket.");

    [Fact]
    public void A_socket_of_the_network_is_refused()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        ExpectUnfit(Copy(socket), "is no AF_UNIX socket");
    }

    [Fact]
    public void A_datagram_socket_is_refused()
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        ExpectUnfit(Copy(socket), "is no stream socket");
    }

    [Fact]
    public void A_socket_that_does_not_listen_is_refused()
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(Path));
        ExpectUnfit(Copy(socket), "does not listen");
    }

    [Fact]
    public void A_socket_without_a_path_is_refused()
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint($"\0tapwire-{Guid.NewGuid()}"));
        socket.Listen();
        ExpectUnfit(Copy(socket), "has no path");
    }

    [Fact]
    public void A_file_is_refused() => ExpectUnfit(Libc.open("/dev/null", Libc.O_RDONLY | Libc.O_CLOEXEC, 0), "is no socket");

    [Fact]
    public void A_descriptor_that_is_not_open_is_refused() => ExpectUnfit(1_000_000, "is not open");

    private static void ExpectUnfit(int descriptor, string problem) => Expect(descriptor, "",
        $"Descriptor {descriptor}, which the service manager has passed for the link, {problem}; pass a listening AF_UNIX stream socket with a path, as in ListenStream=/run/tapwire/link.sock.");

    private static void Expect(int descriptor, string path, string message) =>
        Assert.Equal(message, Assert.Throws<LinkListenException>(() => LinkListener.Adopt(descriptor, path, null)).Message);

    /// <summary>A listening socket as a service manager makes it: blocking. It outlives the object that has made it, and so does its file.</summary>
    private int Passed()
    {
        var kept = Path + ".kept";
        int descriptor;
        using (var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            socket.Bind(new UnixDomainSocketEndPoint(Path));
            socket.Listen();
            descriptor = Copy(socket);
            // .NET removes the file of a socket that it closes.
            File.Move(Path, kept);
        }

        File.Move(kept, Path);
        return descriptor;
    }

    /// <summary>F_DUPFD.</summary>
    private static int Copy(Socket socket) => Errors.Check(Libc.fcntl((int)socket.Handle, 0, 0), "fcntl");

    private Socket Connect()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(Path));
        return socket;
    }
}
