using System.Globalization;
using System.Text;
using Tapwire.Stack.Packets;

namespace Tapwire.Tests.Sim;

/// <summary>A segment as a script writes it: <c>P. 1:1001(1000) ack 1 win 65535 &lt;mss 1460,sackOK,wscale 7&gt;</c>. Numbers are relative to the initial
/// sequence numbers; what an expectation leaves out is not looked at. <c>FO</c> asks for a Fast Open cookie, <c>FO 0123456789abcdef</c> is one, and
/// <c>FO *</c> is any one: the last one we gave if it comes in. <c>[ect0]</c>, <c>[ce]</c> or <c>[not-ect]</c> at the end is the ECN field of IP.</summary>
internal sealed class ScriptSegment
{
    private static readonly string[] EcnNames = ["[not-ect]", "[ect1]", "[ect0]", "[ce]"];

    public TcpFlags Flags { get; private set; }

    public uint Sequence { get; private set; }

    public int Length { get; private set; }

    public uint? Acknowledgment { get; private set; }

    public int? Window { get; private set; }

    /// <summary>Where the urgent data ends, counted from the sequence number.</summary>
    public int? UrgentPointer { get; private set; }

    /// <summary>The ECN field of the IP header (RFC 3168, 5); null: not given.</summary>
    public byte? Ecn { get; private init; }

    /// <summary>Null: not given. Otherwise the options one by one, in the order of the header.</summary>
    public List<string>? Options { get; private set; }

    public static ScriptSegment Parse(string text)
    {
        var mark = text.IndexOf('[', StringComparison.Ordinal);
        var segment = new ScriptSegment { Ecn = mark < 0 ? null : EcnOf(text[mark..].Trim()) };
        if (mark >= 0)
            text = text[..mark];
        var open = text.IndexOf('<', StringComparison.Ordinal);
        if (open >= 0)
        {
            segment.Options = [.. text[(open + 1)..text.IndexOf('>', StringComparison.Ordinal)]
                .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Where(option => option != "nop")];
            text = text[..open];
        }

        var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        segment.Flags = words[0].Aggregate(TcpFlags.None, (flags, letter) => flags | FlagOf(letter));
        var range = words[1].Split(':', '(', ')');
        segment.Sequence = Number(range[0]);
        segment.Length = (int)Number(range[2]);
        if (Number(range[1]) != segment.Sequence + (uint)segment.Length)
            throw new FormatException($"'{words[1]}' does not add up.");
        for (var i = 2; i + 1 < words.Length; i += 2)
        {
            if (words[i] == "ack")
                segment.Acknowledgment = Number(words[i + 1]);
            else if (words[i] == "win")
                segment.Window = (int)Number(words[i + 1]);
            else if (words[i] == "urg")
                segment.UrgentPointer = (int)Number(words[i + 1]);
            else
                throw new FormatException($"'{words[i]}' is neither ack, win nor urg.");
        }

        return segment;
    }

    /// <param name="iss">Of the segment's sender.</param>
    /// <param name="irs">Of the other side.</param>
    /// <param name="timestampBase">Subtracted from the timestamp value.</param>
    public static ScriptSegment From(in TcpHeader header, int length, int? trafficClass, uint iss, uint irs, uint timestampBase)
    {
        var options = new List<string>();
        if (header.Mss != 0)
            options.Add($"mss {header.Mss}");
        if (header.SackPermitted)
            options.Add("sackOK");
        if (header.HasTimestamp)
            options.Add($"TS val {header.TimestampValue - timestampBase} ecr {header.TimestampEcho}");
        if (header.HasWindowScale)
            options.Add($"wscale {header.WindowScale}");
        if (header.HasFastOpen)
            options.Add(header.FastOpenCookie.IsRequest ? "FO" : $"FO {Hex(header.FastOpenCookie)}");
        if (header.SackCount > 0)
        {
            var blocks = new StringBuilder("sack");
            for (var i = 0; i < header.SackCount; i++)
                blocks.Append(CultureInfo.InvariantCulture, $" {header.Sacks[i].Start - irs}:{header.Sacks[i].End - irs}");
            options.Add(blocks.ToString());
        }

        return new ScriptSegment
        {
            Flags = header.Flags,
            Sequence = header.Flags == TcpFlags.Rst || header.Sequence != 0 ? header.Sequence - iss : 0,
            Length = length,
            Acknowledgment = header.Has(TcpFlags.Ack) ? header.Acknowledgment - irs : null,
            Window = header.Window,
            UrgentPointer = header.Has(TcpFlags.Urg) ? header.UrgentPointer : null,
            Options = options,
            Ecn = (byte?)(trafficClass & 3),
        };
    }

    /// <param name="cookie">What <c>FO *</c> stands for.</param>
    public TcpHeader ToHeader(uint iss, uint irs, uint timestampBase, FastOpenCookie cookie = default)
    {
        var header = new TcpHeader
        {
            Flags = Flags,
            Sequence = Sequence + iss,
            Acknowledgment = Acknowledgment is { } ack ? ack + irs : 0,
            Window = (ushort)(Window ?? 65535),
            UrgentPointer = (ushort)(UrgentPointer ?? 0),
        };
        foreach (var option in Options ?? [])
        {
            Apply(ref header, option.Split(' ', ':'), irs, timestampBase);
            if (option == "FO *")
                header.FastOpenCookie = cookie;
        }

        return header;
    }

    public bool Matches(ScriptSegment actual) =>
        Flags == actual.Flags && Sequence == actual.Sequence && Length == actual.Length && Acknowledgment == actual.Acknowledgment
        && (Window is null || Window == actual.Window) && (UrgentPointer is null || UrgentPointer == actual.UrgentPointer)
        && (Ecn is null || Ecn == actual.Ecn)
        && (Options is null || (Options.Count == actual.Options!.Count && Options.Zip(actual.Options).All(pair => Matches(pair.First, pair.Second))));

    private static bool Matches(string expected, string actual) =>
        expected == actual || (expected == "FO *" && actual.StartsWith("FO ", StringComparison.Ordinal));

    private static string Hex(FastOpenCookie cookie)
    {
        Span<byte> bytes = stackalloc byte[cookie.Length];
        cookie.Write(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    public override string ToString()
    {
        var letters = string.Concat("FSRP.UEW".Where(letter => (Flags & FlagOf(letter)) != 0));
        var text = $"{letters} {Sequence}:{Sequence + (uint)Length}({Length})";
        if (Acknowledgment is { } ack)
            text += $" ack {ack}";
        if (Window is { } window)
            text += $" win {window}";
        if (UrgentPointer is { } urgent)
            text += $" urg {urgent}";
        if (Options is not null)
            text += $" <{string.Join(',', Options)}>";
        return Ecn is { } ecn ? $"{text} {EcnNames[ecn]}" : text;
    }

    private static byte EcnOf(string name) => (byte)(Array.IndexOf(EcnNames, name) is var ecn and >= 0 ? ecn : throw new FormatException($"No ECN field '{name}'."));

    private static void Apply(ref TcpHeader header, string[] words, uint irs, uint timestampBase)
    {
        switch (words[0])
        {
            case "mss":
                header.Mss = (ushort)Number(words[1]);
                break;
            case "sackOK":
                header.SackPermitted = true;
                break;
            case "wscale":
                header.HasWindowScale = true;
                header.WindowScale = (byte)Number(words[1]);
                break;
            case "TS":
                header.HasTimestamp = true;
                header.TimestampValue = Number(words[2]);
                header.TimestampEcho = header.Has(TcpFlags.Ack) ? Number(words[4]) + timestampBase : 0;
                break;
            case "FO":
                header.HasFastOpen = true;
                if (words.Length > 1 && words[1] != "*")
                    header.FastOpenCookie = FastOpenCookie.Read(Convert.FromHexString(words[1]));
                break;
            case "sack":
                for (var i = 1; i + 1 < words.Length; i += 2)
                    header.Sacks[header.SackCount++] = new SackBlock(Number(words[i]) + irs, Number(words[i + 1]) + irs);
                break;
            default:
                throw new FormatException($"No option '{words[0]}'.");
        }
    }

    private static uint Number(string text) =>
        text.StartsWith('-') ? 0u - uint.Parse(text[1..], CultureInfo.InvariantCulture) : uint.Parse(text, CultureInfo.InvariantCulture);

    private static TcpFlags FlagOf(char letter) => letter switch
    {
        'F' => TcpFlags.Fin,
        'S' => TcpFlags.Syn,
        'R' => TcpFlags.Rst,
        'P' => TcpFlags.Psh,
        '.' => TcpFlags.Ack,
        'U' => TcpFlags.Urg,
        'E' => TcpFlags.Ece,
        'W' => TcpFlags.Cwr,
        '0' => TcpFlags.None,
        _ => throw new FormatException($"No flag '{letter}'."),
    };
}
