using System.Globalization;
using System.Text.RegularExpressions;
using Tapwire.Actors.Link;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>docs/socket-options.md says of each option what the driver does with it.</summary>
public sealed partial class OptionTableSpec() : DriverSetup("")
{
    private const int LastName = 127;

    private static readonly (string Name, int Number)[] Levels =
    [
        ("SOL_SOCKET", LinkOption.SolSocket), ("IPPROTO_TCP", LinkOption.IpProtoTcp), ("IPPROTO_IP", LinkOption.IpProtoIp), ("IPPROTO_IPV6", LinkOption.IpProtoIpV6),
        ("IPPROTO_UDP", 17),
    ];

    // The descriptor's own: the library asks the kernel, and the driver only remembers them for connections that a listener accepts.
    private static readonly HashSet<(int Level, int Name)> OfDescriptor =
        [(1, LinkOption.SoRcvLowat), (1, LinkOption.SoRcvTimeo), (1, LinkOption.SoSndTimeo), (1, LinkOption.SoRcvTimeoNew), (1, LinkOption.SoSndTimeoNew), (1, 57)];

    private static string Root
    {
        get
        {
            var folder = new DirectoryInfo(AppContext.BaseDirectory);
            while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "docs", "socket-options.md")))
                folder = folder.Parent;
            return folder?.FullName ?? throw new DirectoryNotFoundException("docs/socket-options.md is not above the tests.");
        }
    }

    /// <summary>Whether a rule's value is looked at after all.</summary>
    private static bool IsLookedAt(int level, int name, LinkSocketType type) =>
        (level, name) == (LinkOption.IpProtoIpV6, LinkOption.IpV6V6Only) || (type == LinkSocketType.Datagram && DatagramOptions.IsReal(level, name));

    [Fact]
    public void The_table_says_of_every_option_what_the_driver_answers()
    {
        var table = File.ReadLines(Path.Combine(Root, "docs", "socket-options.md")).Select(static line => Row().Match(line)).Where(static row => row.Success)
            .ToDictionary(static row => (row.Groups["level"].Value, Number(row.Groups["number"])), static row => (row.Groups["stream"].Value, row.Groups["datagram"].Value));
        var wrong = new List<string>();
        foreach (var (levelName, level) in Levels)
        {
            for (var name = 0; name <= LastName; name++)
            {
                var (stream, datagram) = (Behaviour(level, name, LinkSocketType.Stream), Behaviour(level, name, LinkSocketType.Datagram));
                var (saysStream, saysDatagram) = table.GetValueOrDefault((levelName, name), ("ENOPROTOOPT", "ENOPROTOOPT"));
                if (!saysStream.StartsWith(stream, StringComparison.Ordinal) || !saysDatagram.StartsWith(datagram, StringComparison.Ordinal))
                    wrong.Add($"{levelName} {name}: {stream} | {datagram}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    /// <summary>A word of the table.</summary>
    private string Behaviour(int level, int name, LinkSocketType type)
    {
        if (OfDescriptor.Contains((level, name)) || ((level, name) == (LinkOption.SolSocket, LinkOption.SoPeekOff) && type == LinkSocketType.Stream))
            return "the descriptor's own";
        var reply = AskReply(new SocketRequest(1, SocketFamily.V6, type, 0));
        using var app = new App(this, reply.Descriptor!);
        var value = new byte[16];
        value[0] = 1;
        var get = Ask(new GetOptionRequest(2, app.Handle, level, name, 16)).Error;
        var set = Ask(new SetOptionRequest(3, app.Handle, level, name, value)).Error;
        return (get, set) switch
        {
            ((int)StackError.NoSuchOption, (int)StackError.NoSuchOption) => "ENOPROTOOPT",
            (0 or (int)StackError.NotConnected, (int)StackError.NoSuchOption) => "read only",
            ((int)StackError.NoSuchOption, 0) or (0, LinkErrno.NoEntry) when LinkOptions.Map(level, name) is not null => "real",
            (0, 0 or (int)StackError.InvalidArgument) when IsLookedAt(level, name, type) => "real",
            (_, 0 or (int)StackError.InvalidArgument) when OptionRules.Find(level, name, type) is { SetError: 0 } rule => rule.IsKept ? "remembered" : "ignored",
            (0, 0 or (int)StackError.InvalidArgument) when OptionRules.Find(level, name, type) is null => "real",
            (0, (int)StackError.NoSuchDevice) => "real", // the value names an interface
            _ => set switch
            {
                LinkErrno.NotPermitted => "EPERM",
                LinkErrno.NoEntry => "ENOENT",
                (int)StackError.InvalidArgument => "EINVAL",
                (int)StackError.NotSupported => "EOPNOTSUPP",
                (int)StackError.ProtocolError => "EPROTO",
                (int)StackError.NoSuchOption => "ENOPROTOOPT",
                _ => $"errno {set}",
            },
        };
    }

    private static int Number(Group digits) => int.Parse(digits.Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^\| (?<level>\w+) \| `\w+` (?<number>\d+) \| (?<stream>[^|]*) \| (?<datagram>[^|]*) \|")]
    private static partial Regex Row();
}
