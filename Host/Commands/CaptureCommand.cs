using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Net.Sockets;
using Tapwire.Actors.Settings;
using Tapwire.Links.Client;
using Tapwire.Stack.Ip;
using Tapwire.Wires.Capture;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire capture</c>: the packets of a running driver, as pcapng. The driver writes into a socket, and this process passes on and counts.</summary>
internal static class CaptureCommand
{
    private const int BufferBytes = 256 << 10;

    /// <summary>How long the end of a stream may take after Ctrl-C; the driver's own patience is shorter.</summary>
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(3);

    private static readonly Argument<string?> Interface = new("INTERFACE")
    {
        Description = "The only interface to capture, as 'tapwire interface list' names it; all when not given.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private static readonly Flag<string?> Output = Flags.File("--write", "The file to write, for its owner only; -: standard output, and so when not given.");

    private static readonly Flag<IpAddress?> From = Flags.Value<IpAddress>("--host", "Only packets from or to this address.", "ADDRESS", TryParseAddress, "an IP address, as in 10.99.0.1 or fd00::1");

    private static readonly Flag<int> Port = Flags.Number("--port", "Only packets from or to this port, and fragments without ports.", 1, 65535, 0);

    private static readonly Flag<int> Count = Flags.Number("--count", "Ends after so many packets.", 1, int.MaxValue, 0);

    private static readonly Flag<int> SnapLength = Flags.Number("--snaplen", "Bytes recorded of each packet; 262144, which is all, when not given.", CaptureOptions.MinSnapLength, CaptureOptions.MaxSnapLength,
        CaptureOptions.MaxSnapLength);

    private static readonly Option<bool> Outer = Flags.Switch("--outer", "The datagrams of a tunnel (WireGuard, VXLAN) as they go over the host's network, rather than the packets in it.");

    public static Command Create()
    {
        Output.Aliases.Add("-w");
        Count.Aliases.Add("-c");
        SnapLength.Aliases.Add("-s");
        var command = new ExampledCommand("capture", "Records the packets of a running driver, for Wireshark and tcpdump, until Ctrl-C.",
            "tapwire capture | tshark -i -",
            "tapwire capture tw0 -w web.pcapng --host 10.99.0.1 --port 80 --count 100")
        {
            Interface, Output, From, Port, Outer, Count, SnapLength, LinkOption.Path,
        };
        command.SetAction((parsed, _) => RunAsync(parsed));
        return command;
    }

    private static bool TryParseAddress(string text, out IpAddress address, [NotNullWhen(false)] out string? problem)
    {
        problem = IpAddress.TryParse(text, out address) ? null : "";
        return problem is null;
    }

    private static async Task<int> RunAsync(ParseResult parsed)
    {
        using var interrupt = new Interrupt();
        var file = parsed.Read(Output) ?? CaptureSettings.StandardOutput;
        if (file == CaptureSettings.StandardOutput && !Console.IsOutputRedirected)
            throw new CommandFailedException("Standard output is a terminal, which a capture would fill with rubbish: name a file with -w, or pipe it, as in 'tapwire capture | tshark -i -'.");
        var path = LinkOption.PathOf(parsed);
        var wanted = new CaptureWish
        {
            Interface = parsed.GetValue(Interface) ?? "",
            Host = parsed.Read(From)?.ToSystem(),
            Port = parsed.Read(Port),
            Outer = parsed.GetValue(Outer),
            Count = parsed.Read(Count),
            SnapLength = parsed.Read(SnapLength),
        };
        try
        {
            using var client = await LinkOption.ConnectAsync(path, LinkOption.Patience, interrupt.Token);
            using var capture = await BeginAsync(client, wanted, path, interrupt.Token);
            // Opened last: a capture that cannot be leaves the file as it is.
            await using var output = CaptureFile.OpenStream(file);
            return await PassOnAsync(capture, output, file, interrupt);
        }
        catch (OperationCanceledException) when (interrupt.Token.IsCancellationRequested)
        {
            return ExitCode.Done;
        }
    }

    private static async Task<TapwireCapture> BeginAsync(TapwireClient client, CaptureWish wanted, string path, CancellationToken cancel)
    {
        try
        {
            return await LinkOption.AskAsync(token => client.CaptureAsync(wanted, token), path, LinkOption.Patience, cancel);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.OperationNotSupported)
        {
            throw new CommandFailedException($"The driver at '{path}' does not know this command: it is of an older release; start it again after an update.", e);
        }
        catch (SocketException e)
        {
            throw new CommandFailedException(e.Message, e);
        }
    }

    private static async Task<int> PassOnAsync(TapwireCapture capture, Stream output, string file, Interrupt interrupt)
    {
        var tally = new PcapngTally();
        var buffer = new byte[BufferBytes];
        using var ending = new CancellationTokenSource();
        await using var stop = interrupt.Token.Register(() =>
        {
            capture.Stop();
            ending.CancelAfter(EndPatience);
        });
        try
        {
            while (await capture.ReadAsync(buffer, ending.Token) is > 0 and var count)
            {
                tally.Add(buffer.AsSpan(0, count));
                await output.WriteAsync(buffer.AsMemory(0, count), ending.Token);
            }
        }
        catch (IOException e) when (file == CaptureSettings.StandardOutput && e.HResult == Posix.Errors.EPIPE)
        {
            // The reader has seen enough.
        }
        catch (IOException e)
        {
            Summarize(tally);
            throw new CommandFailedException($"The capture cannot be written to '{Complaint.Short(file)}': {FileProblem.SystemsWords(e)}.", e);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // The driver has gone, or does not end the capture.
        }

        Summarize(tally);
        return tally.Dropped is null && file != CaptureSettings.StandardOutput && !interrupt.Token.IsCancellationRequested
            ? throw new CommandFailedException("The driver has gone, and the capture is cut short.")
            : ExitCode.Done;
    }

    private static void Summarize(PcapngTally tally) => Console.Error.WriteLine($"{tally.Packets} packets captured, {tally.Dropped?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "an unknown number"} dropped");
}
