using System.Net;
using Tapwire.Links.Client;

namespace Tapwire.Bench.EndToEnd;

/// <summary>The services as an application of a driver: another process, which reads and writes AF_UNIX descriptors and blocks in them.</summary>
internal static class LinkApplication
{
    public const string Command = "serve-on-link";

    private const int Chunk = 128 << 10;
    private const int StackSize = 256 << 10;

    public static async Task RunAsync(string link)
    {
        using var client = await TapwireClient.ConnectAsync(link);
        await Task.WhenAll(ServeAsync(client, Measurement.Echo, Echo), ServeAsync(client, Measurement.Discard, Discard),
            ServeAsync(client, Measurement.Source, Source));
    }

    private static async Task ServeAsync(TapwireClient client, int port, Action<TapwireStream> service)
    {
        using var listener = await client.ListenAsync(new IPEndPoint(IPAddress.Any, port), backlog: 4096);
        while (true)
        {
            var stream = await listener.AcceptAsync();
            new Thread(() => Serve(stream, service), StackSize) { IsBackground = true }.Start();
        }
    }

    private static void Serve(TapwireStream stream, Action<TapwireStream> service)
    {
        using (stream)
        {
            try
            {
                service(stream);
            }
            catch (IOException)
            {
                // The client has reset the connection.
            }
        }
    }

    private static void Echo(TapwireStream stream)
    {
        var buffer = new byte[Chunk];
        while (stream.Read(buffer) is > 0 and var count)
            stream.Write(buffer.AsSpan(0, count));
    }

    private static void Discard(TapwireStream stream)
    {
        var buffer = new byte[Chunk];
        while (stream.Read(buffer) > 0)
        {
        }
    }

    private static void Source(TapwireStream stream)
    {
        var buffer = new byte[Chunk];
        while (true)
            stream.Write(buffer);
    }
}
