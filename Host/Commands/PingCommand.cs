using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Client;
using Tapwire.Links.Protocol;
using Tapwire.Stack.Ip;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire ping HOST</c>: ICMP echo from a running driver.</summary>
internal static class PingCommand
{
    private static readonly Argument<string> Host = HostName.Argument("HOST", "The name or address to ping; a link-local one may have a zone, an interface's name: fe80::1%tw0.");

    private static readonly Flag<int> Count = Flags.Number("--count", "Requests to send; 4 when not given.", 1, 65535, 4);
    private static readonly Flag<TimeSpan> Interval = Flags.Time("--interval", "Time between requests; 1s when not given.", TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1), TimeSpan.FromSeconds(1));
    private static readonly Flag<int> Size = Flags.Number("--size", "Payload in bytes; 56 when not given. An IPv4 packet holds 65507.", 0, PingRequest.MostBytes, 56);
    private static readonly Flag<TimeSpan> Timeout = Flags.Time("--timeout", "How long a reply may take; 1s when not given.", TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(1));

    public static Command Create()
    {
        Count.Aliases.Add("-c");
        Interval.Aliases.Add("-i");
        Size.Aliases.Add("-s");
        var command = new ExampledCommand("ping", "Sends ICMP echo requests through a running driver. Fails when nothing answers.",
            "tapwire ping 10.99.0.1",
            "tapwire ping www.example.org --family 6",
            "tapwire ping fe80::1%tw0",
            "tapwire ping 10.99.0.1 -c 100 -i 100ms")
        {
            Host, HostName.Family, Count, Interval, Size, Timeout, LinkOption.Path,
        };
        command.SetAction((parsed, _) => Interrupt.RunAsync(interrupt => RunAsync(parsed, interrupt)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, Interrupt interrupt)
    {
        var path = LinkOption.PathOf(parsed);
        using var client = await LinkOption.ConnectAsync(path, LinkOption.Patience, interrupt.Token);
        var name = parsed.GetValue(Host)!;
        var host = await AddressAsync(client, name, parsed.Read(HostName.Family), path, interrupt.Token);
        var text = await TextAsync(client, host, path, interrupt.Token);
        if (ZonedAddress.TryParse(name, out _))
            name = text;
        var count = parsed.Read(Count);
        var size = parsed.Read(Size);
        var timeout = parsed.Read(Timeout);
        var trips = new List<double>();
        var sent = 0;
        Console.WriteLine($"PING {(name == text ? text : $"{name} ({text})")}: {size} data bytes");
        try
        {
            using var timer = new PeriodicTimer(parsed.Read(Interval));
            do
            {
                sent++;
                var sequence = (ushort)sent;
                await PingOnceAsync(
                    // The driver itself reports that no reply has come in time, so the time-out of the request is longer than the driver's.
                    token => LinkOption.AskAsync(limited => client.PingAsync(host, sequence, size, timeout, limited), path, timeout + LinkOption.Patience, token),
                    sequence, size, trips, interrupt.Token);
            }
            while (sent < count && await timer.WaitForNextTickAsync(interrupt.Token));
        }
        catch (OperationCanceledException)
        {
            Summarize(name, sent, trips);
            return interrupt.CancelledCode;
        }

        Summarize(name, sent, trips);
        return trips.Count > 0 ? ExitCode.Done : throw new CommandFailedException($"{name} does not answer.");
    }

    private static Task<string> TextAsync(TapwireClient client, IPAddress address, string path, CancellationToken cancel) =>
        LinkOption.AskAsync(limited => HostName.TextOfAsync(client, address, limited), path, LinkOption.Patience, cancel);

    private static async Task<IPAddress> AddressAsync(TapwireClient client, string name, AddressFamily family, string path, CancellationToken cancel)
    {
        if (!ZonedAddress.TryParse(name, out var host))
            return await ResolveAsync(client, name, family, path, cancel);
        var address = host.Address.ToSystem();
        if (host.Zone is not { } zone)
            return address;
        if (!uint.TryParse(zone, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            number = (uint)await LinkOption.AskAsync(limited => client.FindInterfaceAsync(zone, limited), path, LinkOption.Patience, cancel);
        if (number == 0)
            throw new CommandFailedException($"The driver has no interface {zone}; 'tapwire status' shows those there are.");
        address.ScopeId = number;
        return address;
    }

    private static async Task<IPAddress> ResolveAsync(TapwireClient client, string name, AddressFamily family, string path, CancellationToken cancel)
    {
        try
        {
            return (await LinkOption.AskAsync(limited => client.ResolveAsync(name, family, limited), path, OperatorCommand.Patience, cancel)).Addresses[0];
        }
        catch (SocketException e)
        {
            throw new CommandFailedException(e.Message, e);
        }
    }

    private static async Task PingOnceAsync(Func<CancellationToken, Task<PingReply>> ping, ushort sequence, int size, List<double> trips, CancellationToken cancel)
    {
        try
        {
            var reply = await ping(cancel);
            trips.Add(reply.RoundTrip.TotalMilliseconds);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{size} bytes from {reply.From.Endpoint.Address}: seq={sequence} ttl={reply.HopLimit} time={reply.RoundTrip.TotalMilliseconds:0.000} ms"));
        }
        catch (SocketException e)
        {
            Console.WriteLine($"seq={sequence}: {e.SocketErrorCode switch
            {
                SocketError.TimedOut => "no reply",
                SocketError.HostUnreachable => "host unreachable",
                SocketError.NetworkUnreachable => "network unreachable",
                SocketError.MessageSize => "larger than the path takes, and now in fragments",
                _ => e.Message,
            }}");
        }
    }

    private static void Summarize(string host, int sent, List<double> trips)
    {
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{host}: {sent} sent, {trips.Count} received, {100.0 * (sent - trips.Count) / Math.Max(1, sent):0.#}% lost"));
        if (trips.Count > 0)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round trip min/avg/max {trips.Min():0.000}/{trips.Average():0.000}/{trips.Max():0.000} ms"));
    }
}
