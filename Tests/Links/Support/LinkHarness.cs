using System.Buffers.Binary;
using System.Net.Sockets;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Posix;

namespace Tapwire.Tests.Links.Support;

/// <summary>A control socket in a directory of its own, a raw client of it, and the session in between.</summary>
internal sealed class LinkHarness : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("tapwire-link-").FullName;

    public LinkHarness()
    {
        Path = System.IO.Path.Combine(_directory, "link.sock");
        Listener = LinkListener.Listen(Path);
    }

    public string Path { get; }

    public LinkListener Listener { get; }

    public Socket Connect()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(Path));
        socket.Blocking = false;
        return socket;
    }

    public (Socket Client, LinkSession Session) Open()
    {
        var client = Connect();
        Xunit.Assert.Equal(AcceptResult.Accepted, Listener.TryAccept(out var session, out _));
        return (client, session!);
    }

    /// <summary>A client and a session that have said hello to each other.</summary>
    public (Socket Client, LinkSession Session) OpenGreeted()
    {
        var (client, session) = Open();
        client.Send(Hello());
        Xunit.Assert.Equal(ReadResult.Empty, session.ReadRequests([]));
        Xunit.Assert.Equal(Hello(), client.ReadAll());
        return (client, session);
    }

    public void Dispose()
    {
        Listener.Dispose();
        if (Directory.Exists(_directory))
            Directory.Delete(_directory, recursive: true);
    }

    public static byte[] Hello(uint version = LinkProtocol.Version)
    {
        var hello = new byte[LinkProtocol.HelloSize];
        LinkProtocol.WriteHello(hello, version);
        return hello;
    }

    public static byte[] Frame(LinkRequest request)
    {
        var frame = new byte[LinkRequestCodec.SizeOf(request)];
        LinkRequestCodec.Write(request, frame);
        return frame;
    }

    public static List<LinkAnswer> Answers(ReadOnlySpan<byte> bytes)
    {
        var answers = new List<LinkAnswer>();
        while (bytes.Length > 0)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(bytes);
            answers.Add(LinkAnswer.Read(bytes[..length]));
            bytes = bytes[length..];
        }

        return answers;
    }
}
