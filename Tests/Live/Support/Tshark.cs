using System.Diagnostics;
using System.Globalization;
using Tapwire.Stack.Interfaces;
using Tapwire.Tests.Support;
using Tapwire.Wires.Capture;
using Xunit;

namespace Tapwire.Tests.Live.Support;

/// <summary>tshark(1) as the judge of our packets: another implementation's dissectors, with all checksums verified.</summary>
internal static class Tshark
{
    /// <summary>PI_WARN of Wireshark's epan/proto.h: what is less is a remark, such as a retransmission.</summary>
    private const int Warning = 0x600000;

    /// <summary>PI_SEQUENCE: what TCP connections go through, such as a reset, which is no fault of a packet.</summary>
    private const int Sequence = 0x2000000;

    private static readonly string[] Checks = ["ip.check_checksum", "tcp.check_checksum", "udp.check_checksum"];

    private static readonly Lazy<bool> Found = new(static () => Run("--version").ExitCode == 0);

    public static bool IsThere => Found.Value;

    public static void Need() => Skip.IfNot(IsThere, "there is no tshark");

    /// <summary>Writes packets as our own captures do, a second apart, every other one outbound.</summary>
    public static void Write(string file, Medium medium, IEnumerable<byte[]> packets, Func<int, string?>? comment = null)
    {
        using var stream = File.Create(file);
        var captured = new CapturedInterface(0, "judged", medium, 1500);
        stream.Write(Pcapng.Header("Tapwire specs"));
        stream.Write(Pcapng.Describe(captured, CaptureOptions.MaxSnapLength));
        var number = 0;
        foreach (var packet in packets)
        {
            var end = Pcapng.PacketHeaderLength + Pcapng.Padded(packet.Length);
            var block = new byte[end + Pcapng.MaxTailLength];
            Pcapng.PacketHeader(block, 0, 1_700_000_000_000_000_000 + number * 1_000_000_000L, packet.Length, packet.Length);
            packet.CopyTo(block, Pcapng.PacketHeaderLength);
            stream.Write(block.AsSpan(0, Pcapng.PacketTail(block, end, number % 2 == 0 ? CaptureDirection.Inbound : CaptureDirection.Outbound, comment?.Invoke(number))));
            number++;
        }

        stream.Write(Pcapng.Statistics(captured, 1_700_000_000_000_000_000, 1_700_000_100_000_000_000));
    }

    /// <summary>Fails for a packet that is malformed, has a wrong checksum, or is warned of.</summary>
    /// <param name="options">Further settings of the dissectors.</param>
    /// <param name="except">Warnings that contain this are none of a packet.</param>
    public static void AssertApproves(string file, string[]? options = null, string except = "\0")
    {
        foreach (var packet in Fields(file, "", options ?? [], "frame.number", "_ws.expert.severity", "_ws.expert.group", "_ws.expert.message", "_ws.malformed"))
        {
            var severities = packet[1].Split('|', StringSplitOptions.RemoveEmptyEntries);
            var groups = packet[2].Split('|', StringSplitOptions.RemoveEmptyEntries);
            var messages = packet[3].Split('|');
            for (var i = 0; i < severities.Length; i++)
            {
                if (messages[Math.Min(i, messages.Length - 1)].Contains(except, StringComparison.Ordinal))
                    continue;
                Assert.True(Number(severities[i]) < Warning || Number(groups[i]) == Sequence, $"Packet {packet[0]} of {file}: {packet[3]}");
            }

            Assert.Equal("", packet[4]);
        }
    }

    /// <summary>The fields of each packet that the filter lets through, in order; values of one field are separated by '|'.</summary>
    public static List<string[]> Fields(string file, string filter, params string[] fields) => Fields(file, filter, [], fields);

    public static List<string[]> Fields(string file, string filter, string[] options, params string[] fields)
    {
        var result = Run(["-r", file, "-n", "-T", "fields", "-E", "aggregator=|", .. Checks.SelectMany(static check => (string[])["-o", $"{check}:TRUE"]),
            .. options.SelectMany(static option => (string[])["-o", option]), .. filter.Length > 0 ? (string[])["-Y", filter] : [], .. fields.SelectMany(static field => (string[])["-e", field])]);
        Assert.True(result.ExitCode == 0, result.Error);
        return [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => line.Split('\t'))];
    }

    private static int Number(string value) => value.StartsWith("0x", StringComparison.Ordinal)
        ? int.Parse(value.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
        : int.Parse(value, CultureInfo.InvariantCulture);

    private static CommandResult Run(params string[] arguments)
    {
        try
        {
            using var process = ProgramStart.Run(new ProcessStartInfo("tshark", arguments) { RedirectStandardOutput = true, RedirectStandardError = true });
            var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
            if (!process.WaitForExit(TimeSpan.FromSeconds(60)))
                process.Kill(entireProcessTree: true);
            return new CommandResult(process.ExitCode, output.Result, error.Result);
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return new CommandResult(127, "", e.Message);
        }
    }
}
