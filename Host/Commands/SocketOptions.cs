using System.CommandLine;
using System.CommandLine.Parsing;
using Tapwire.Host.Status;
using Tapwire.Links.Protocol;
using Tapwire.Stack.Ip;

namespace Tapwire.Host.Commands;

/// <summary>The options that choose sockets of a running driver.</summary>
internal static class SocketOptions
{
    /// <summary>As ss has them. Before the options, which name them.</summary>
    private static readonly SortedDictionary<string, ushort> StateNames = new(SocketFilter.States.ToDictionary(static state => Dashed(state), SocketFilter.MaskOf), StringComparer.Ordinal);

    public static readonly Flag<IReadOnlyList<ushort>> States = Flags.List<ushort>("--state", "Sockets in these states only, as in established,listen,udp.", "STATE", TryParseState,
        $"one of {string.Join(", ", StateNames.Keys)}");

    public static readonly Flag<int> Port = Flags.Number("--port", "Sockets with this port at either end only.", 1, 65535, 0);
    public static readonly Flag<int> Process = Flags.Number("--process", "Sockets of the process with this id only.", 1, int.MaxValue, 0);
    public static readonly Flag<string?> Program = Flags.Value<string?>("--program", "Sockets of programs with this in their names only.", "NAME",
        static (string text, out string? value) => (value = text).Length > 0, "part of a program's name", null);

    public static readonly Flag<IpPrefix?> Address = Flags.Value<IpPrefix?>("--address", "Sockets with an address in this network at either end only.", "PREFIX", TryParsePrefix,
        "an address or a network, as in 10.99.0.0/24 or fd00::1", null);

    /// <summary>True when one of them is given.</summary>
    public static bool AreGiven(CommandResult result) => new Option[] { States, Port, Process, Program, Address }.Any(option => result.GetResult(option) is not null);

    public static SocketQuery QueryOf(ParseResult parsed, SocketOrder? sort = null) => new(new SocketFilter
    {
        StateMask = (ushort)parsed.Read(States).Aggregate(0, static (mask, state) => mask | state),
        Port = (ushort)parsed.Read(Port),
        Process = parsed.Read(Process),
        Prefix = parsed.Read(Address),
    }, parsed.Read(Program), sort);

    /// <summary>"SynSent" as "syn-sent".</summary>
    public static string Dashed(string name) => string.Concat(name.Select(static (letter, index) => (index > 0 && char.IsUpper(letter)) || (index > 0 && char.IsDigit(letter))
        ? $"-{char.ToLowerInvariant(letter)}" : char.ToLowerInvariant(letter).ToString()));

    private static bool TryParseState(string text, out ushort mask) => StateNames.TryGetValue(text.ToLowerInvariant(), out mask);

    private static bool TryParsePrefix(string text, out IpPrefix? prefix)
    {
        var isAddress = IpAddress.TryParse(text, null, out var address);
        prefix = isAddress ? new IpPrefix(address, address.IsV4 ? 32 : 128) : IpPrefix.TryParse(text, null, out var network) ? network : null;
        return prefix is not null;
    }
}
