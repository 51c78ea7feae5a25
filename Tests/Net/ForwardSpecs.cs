using System.Net;
using System.Net.Sockets;
using Tapwire.Stack.Tcp;
using Xunit;
using TcpListener = Tapwire.Stack.Tcp.TcpListener;

namespace Tapwire.Tests.Net;

/// <summary>Places on this machine that lead to a host of the network, and kernel sockets that connect there.</summary>
[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class ForwardSpecs : NetworkSetup
{
    private static readonly IPEndPoint AnyLoopback = new(IPAddress.Loopback, 0);

    private readonly string _directory = Directory.CreateTempSubdirectory("tapwire-").FullName;
    private readonly List<SocketError> _failures = [];

    private string SocketPath => Path.Combine(_directory, "forward");

    private UnixDomainSocketEndPoint OnPath => new(SocketPath);

    [Fact]
    public void Bytes_and_the_end_of_each_direction_pass_through_a_file_of_its_owner()
    {
        var listener = Peer.Listen(80);
        var forward = Forward(OnPath);
        Assert.Equal(SocketPath, forward.LocalEndPoint.ToString());
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(SocketPath));
        using var client = Open(forward);
        client.Send("question"u8);
        client.Shutdown(SocketShutdown.Send);
        var peer = AcceptFrom(listener);
        RunUntil(() => Peer.EndOfStream.Contains(peer));
        Assert.Equal("question"u8.ToArray(), Peer.Received(peer));
        Peer.Send(peer, "answer"u8);
        peer.ShutdownSend(Peer.Now);
        Assert.Equal("answer"u8.ToArray(), ReadToEnd(client));
        Await(forward.DisposeAsync().AsTask());
        Assert.False(File.Exists(SocketPath));
    }

    [Fact]
    public void The_peers_end_passes_through_first_too()
    {
        var listener = Peer.Listen(80);
        var forward = Forward(AnyLoopback);
        using var client = Open(forward);
        var peer = AcceptFrom(listener);
        Peer.Send(peer, "greeting"u8);
        peer.ShutdownSend(Peer.Now);
        Assert.Equal("greeting"u8.ToArray(), ReadToEnd(client));
        client.Send("late"u8);
        client.Shutdown(SocketShutdown.Send);
        RunUntil(() => Peer.EndOfStream.Contains(peer));
        Assert.Equal("late"u8.ToArray(), Peer.Received(peer));
        Await(forward.DisposeAsync().AsTask());
    }

    [Fact]
    public void A_peer_that_does_not_read_holds_the_client_back()
    {
        var listener = Peer.Listen(80);
        var forward = Forward(OnPath);
        using var client = Open(forward);
        client.Blocking = false;
        var peer = AcceptFrom(listener);
        Peer.NotReading.Add(peer);
        var all = Pattern(64 << 20);
        var sent = 0;
        SendMore();
        // Nothing moves any more: all buffers on the way are full.
        for (var before = -1; before != sent;)
        {
            before = sent;
            Run();
            Advance(TimeSpan.FromSeconds(1));
            SendMore();
        }

        Assert.InRange(sent, 1, all.Length / 2);
        Peer.NotReading.Remove(peer);
        RunUntil(() =>
        {
            SendMore();
            Peer.ReadAll(peer);
            return Peer.ReceivedCount(peer) == all.Length;
        });
        Assert.Equal(all, Peer.Received(peer));
        Await(forward.DisposeAsync().AsTask());

        void SendMore()
        {
            while (sent < all.Length && client.Send(all.AsSpan(sent), SocketFlags.None, out var error) is > 0 and var count && error == SocketError.Success)
                sent += count;
        }
    }

    [Fact]
    public void A_client_whose_host_refuses_is_reset_and_the_reason_is_told()
    {
        var forward = Forward(AnyLoopback);
        using var client = Open(forward);
        Assert.Equal(SocketError.ConnectionReset, FailureOf(client));
        RunUntil(() => _failures.Count == 1);
        Assert.Equal(SocketError.ConnectionRefused, _failures[0]);
        Await(forward.DisposeAsync().AsTask());
    }

    [Fact]
    public void A_reset_passes_through_both_ways()
    {
        var listener = Peer.Listen(80);
        var forward = Forward(AnyLoopback);
        using (var client = Open(forward))
        {
            AcceptFrom(listener).Abort(Peer.Now);
            Assert.Equal(SocketError.ConnectionReset, FailureOf(client));
        }

        TcpSocket peer;
        using (var client = Open(forward))
        {
            peer = AcceptFrom(listener);
            client.LingerState = new LingerOption(true, 0);
        }

        RunUntil(() => Peer.Ended.Contains(peer));
        Assert.DoesNotContain(peer, Peer.EndOfStream);
        Assert.Empty(_failures);
        Await(forward.DisposeAsync().AsTask());
    }

    [Fact]
    public void Disposing_resets_what_is_connected_and_gives_up_what_is_connecting()
    {
        var listener = Peer.Listen(80);
        var forward = Forward(AnyLoopback);
        using var client = Open(forward);
        client.Send("question"u8);
        var peer = AcceptFrom(listener);
        RunUntil(() => Peer.ReceivedCount(peer) == 8);
        // A SYN of IPv4, behind an Ethernet header.
        Peer.Loses = static frame => frame.Length > 47 && frame[12] == 8 && frame[13] == 0 && frame[23] == 6 && (frame[47] & 2) != 0;
        using var connecting = Open(forward);
        Await(Task.WhenAll(forward.DisposeAsync().AsTask(), forward.DisposeAsync().AsTask()));
        Peer.Loses = static _ => false;
        Assert.Equal(SocketError.ConnectionReset, FailureOf(client));
        Assert.Equal(SocketError.ConnectionReset, FailureOf(connecting));
        RunUntil(() => Peer.Ended.Contains(peer));
        Assert.Empty(_failures);
        using var late = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        Assert.Equal(SocketError.ConnectionRefused, Assert.Throws<SocketException>(() => late.Connect(forward.LocalEndPoint)).SocketErrorCode);
    }

    [Fact]
    public void It_ends_with_the_network()
    {
        var forward = Forward(OnPath);
        Await(Network.DisposeAsync().AsTask());
        RunUntil(() => !File.Exists(SocketPath));
        Await(forward.DisposeAsync().AsTask());
    }

    [Fact]
    public void A_socket_that_nobody_has_is_replaced_and_nothing_else_is()
    {
        using (var left = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            left.Bind(OnPath);
            // .NET removes the file of a socket that it closes, a process that dies does not.
            File.Move(SocketPath, SocketPath + ".left");
        }

        File.Move(SocketPath + ".left", SocketPath);
        var forward = Forward(OnPath);
        Assert.Equal(SocketError.AddressAlreadyInUse, Assert.Throws<SocketException>(() => Forward(OnPath)).SocketErrorCode);
        Await(forward.DisposeAsync().AsTask());
        File.WriteAllText(SocketPath, "something of value");
        Assert.Equal(SocketError.AddressAlreadyInUse, Assert.Throws<SocketException>(() => Forward(OnPath)).SocketErrorCode);
        Assert.Equal("something of value", File.ReadAllText(SocketPath));
    }

    [Fact]
    public void It_listens_on_loopback_and_paths_only()
    {
        Assert.Throws<ArgumentException>(() => Forward(new IPEndPoint(IPAddress.Any, 0)));
        Assert.Throws<ArgumentException>(() => Forward(new UnixDomainSocketEndPoint("\0tapwire")));
        Assert.Throws<ArgumentException>(() => Forward(new DnsEndPoint("localhost", 80)));
        Assert.Throws<SocketException>(() => Forward(new UnixDomainSocketEndPoint("/proc/nowhere/socket")));
    }

    protected override void AfterAll()
    {
        base.AfterAll();
        Directory.Delete(_directory, recursive: true);
    }

    private TapwireForward Forward(EndPoint local) => Network.Forward(local, "10.99.0.1", 80, why =>
    {
        lock (_failures)
            _failures.Add(why.SocketErrorCode);
    });

    private static Socket Open(TapwireForward forward)
    {
        var socket = new Socket(forward.LocalEndPoint.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(forward.LocalEndPoint);
        return socket;
    }

    private TcpSocket AcceptFrom(TcpListener listener)
    {
        TcpSocket? socket = null;
        RunUntil(() => (socket ??= listener.Accept()) is not null);
        return socket!;
    }

    private byte[] ReadToEnd(Socket client)
    {
        var all = new List<byte>();
        var buffer = new byte[1000];
        while (Await(client.ReceiveAsync(buffer)) is > 0 and var count)
            all.AddRange(buffer[..count]);
        return [.. all];
    }

    private SocketError FailureOf(Socket client) =>
        Assert.Throws<SocketException>(() => Await(client.ReceiveAsync(new byte[1]))).SocketErrorCode;
}
