using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tapwire.Links.Client;
using Tapwire.Stack.Ip;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire ping HOST</c>: ICMP echo from a running driver.</summary>
internal static class PingCommand
{
    private static readonly Argument<IPAddress> Host = new("HOST")
    {
        Description = "The address to ping.",
        CustomParser = result =>
        {
            if (IpAddress.TryParse(result.Tokens[0].Value, out var address))
                return address.ToSystem();
            result.AddError($"HOST is \"{result.Tokens[0].Value}\"; it must be an IP address.");
            return null;
        },
    };

    private static readonly Option<int> Count = Flags.Number("--count", "Requests to send.", 1, 65535, 4);
    private static readonly Option<TimeSpan> Interval = Flags.Time("--interval", "Between requests.", TimeSpan.FromMilliseconds(1), TimeSpan.FromHours(1), TimeSpan.FromSeconds(1));
    private static readonly Option<int> Size = Flags.Number("--size", "Payload bytes.", 0, 65507, 56);
    private static readonly Option<TimeSpan> Timeout = Flags.Time("--timeout", "How long a reply may take.", TimeSpan.FromMilliseconds(1), TimeSpan.FromMinutes(1), TimeSpan.FromSeconds(1));

    public static Command Create()
    {
        Count.Aliases.Add("-c");
        Interval.Aliases.Add("-i");
        Size.Aliases.Add("-s");
        var command = new Command("ping", "Sends ICMP echo requests through a running driver. Fails when nothing answers.")
        {
            Host, Count, Interval, Size, Timeout, LinkOption.Path,
        };
        command.SetAction((parsed, _) => RunAsync(parsed));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed)
    {
        using var interrupt = new Interrupt();
        using var client = await LinkOption.ConnectAsync(parsed, interrupt.Token);
        var host = parsed.GetValue(Host)!;
        var count = parsed.GetValue(Count);
        var size = parsed.GetValue(Size);
        var trips = new List<double>();
        var sent = 0;
        Console.WriteLine($"PING {host}: {size} data bytes");
        try
        {
            using var timer = new PeriodicTimer(parsed.GetValue(Interval));
            do
            {
                sent++;
                await PingOnceAsync(client, host, (ushort)sent, size, parsed.GetValue(Timeout), trips, interrupt.Token);
            }
            while (sent < count && await timer.WaitForNextTickAsync(interrupt.Token));
        }
        catch (OperationCanceledException)
        {
            Summarize(host, sent, trips);
            return ExitCode.Interrupted;
        }

        Summarize(host, sent, trips);
        return trips.Count > 0 ? ExitCode.Done : throw new CommandFailedException($"{host} does not answer.");
    }

    private static async Task PingOnceAsync(TapwireClient client, IPAddress host, ushort sequence, int size, TimeSpan timeout, List<double> trips, CancellationToken cancel)
    {
        try
        {
            var reply = await client.PingAsync(host, sequence, size, timeout, cancel);
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
                SocketError.MessageSize => "larger than the MTU allows",
                _ => e.Message,
            }}");
        }
    }

    private static void Summarize(IPAddress host, int sent, List<double> trips)
    {
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{host}: {sent} sent, {trips.Count} received, {100.0 * (sent - trips.Count) / Math.Max(1, sent):0.#}% lost"));
        if (trips.Count > 0)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round trip min/avg/max {trips.Min():0.000}/{trips.Average():0.000}/{trips.Max():0.000} ms"));
    }
}
