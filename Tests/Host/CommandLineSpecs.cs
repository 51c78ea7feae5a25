using System.Net.Sockets;
using System.Text.RegularExpressions;
using Tapwire.Links.Protocol;
using Xunit;

namespace Tapwire.Tests.Host;

/// <summary>The program from its command line to its exit code.</summary>
[Collection(HostCollection.Name)]
public sealed partial class CommandLineSpecs : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-host-");

    public void Dispose() => _directory.Delete(recursive: true);

    [Theory]
    [InlineData("demo --size 0", "--size is \"0\"; it must be a size from 1 B to 1 TiB, as in 64KiB.")]
    [InlineData("demo --size lots", "--size is \"lots\"; it must be a size from 1 B to 1 TiB, as in 64KiB.")]
    [InlineData("demo --loss 2", "--loss is \"2\"; it must be a part of 1 from 0 to 1, as in 0.01.")]
    [InlineData("demo --latency 5", "--latency is \"5\"; it must be a time from 0 to 1m, as in 20ms.")]
    [InlineData("demo --connections 0", "--connections is \"0\"; it must be a number from 1 to 10000.")]
    [InlineData("demo --bandwidth 5", "--bandwidth is \"5\"; it must be a rate from 1k to 1000G bits per second, as in 100M.")]
    [InlineData("demo --seed -1", "--seed is \"-1\"; it must be a number from 0 to 18446744073709551615.")]
    [InlineData("up --wire eth0", "--wire is \"eth0\"; it must be tap:NAME or tun:NAME")]
    [InlineData("up --address 10.0.0.1", "--address is \"10.0.0.1\"; it must be ADDRESS/LENGTH")]
    [InlineData("up --address 10.0.0.1/24,x", "--address is \"x\"; it must be ADDRESS/LENGTH")]
    [InlineData("up --peer-address 10.0.0.1", "--peer-address is \"10.0.0.1\"; it must be ADDRESS/LENGTH")]
    [InlineData("up --gateway x", "--gateway is \"x\"; it must be an IP address, as in 10.99.0.1 or fd00::1.")]
    [InlineData("up --mac 01:00:00:00:00:00", "--mac is \"01:00:00:00:00:00\"; it must be a unicast address")]
    [InlineData("up --mtu 67", "--mtu is \"67\"; it must be a number from 68 to 65521.")]
    [InlineData("up --serve telnet:23", "--serve is \"telnet:23\"; it must be NAME:PORT")]
    [InlineData("up --socks here:1080", "--socks is \"here:1080\"; it must be ADDRESS:PORT, as in 127.0.0.1:1080: the address \"here\" to listen on must be an IP address.")]
    [InlineData("up --forward sctp:80=a:80", "the transport \"sctp\" must be tcp or udp.")]
    [InlineData("up --forward tcp:127.0.0.1:99999=10.99.0.1:80", "the port \"99999\" must be from 1 to 65535.")]
    [InlineData("up --forward tcp:8080=10.99.0.1", "\"10.99.0.1\" must be HOST:PORT.")]
    [InlineData("up --expose tcp:80=127.0.0.1:", "the port \"\" must be from 1 to 65535.")]
    [InlineData("up --expose tcp:80=a=b", "\"80=a=b\" must have one \"=\" between where to listen and where to.")]
    [InlineData("cable --a tap:x", "--b is missing; it must be tap:NAME or tun:NAME")]
    [InlineData("cable --a eth0 --b tap:y", "--a is \"eth0\"; it must be tap:NAME or tun:NAME")]
    [InlineData("cable --a tap:x --b tap:y --loss 2", "--loss is \"2\"; it must be a share from 0 to 1, as in 0.01 or 1%.")]
    [InlineData("cable --a tap:x --b tap:y --loss 101%", "--loss is \"101%\"; it must be a share from 0 to 1")]
    [InlineData("cable --a tap:x --b tap:y --loss b-a:x", "--loss is \"b-a:x\"; it must be a share from 0 to 1")]
    [InlineData("cable --a tap:x --b tap:y --loss-burst 0.5", "--loss-burst is \"0.5\"; it must be a number from 1 to 1000000, as in 5 or 2.5.")]
    [InlineData("cable --a tap:x --b tap:y --latency 2", "--latency is \"2\"; it must be a time from 0 to 1h, as in 20ms.")]
    [InlineData("cable --a tap:x --b tap:y --bandwidth 10mbps", "--bandwidth is \"10mbps\"; it must be a rate from 1k to 1000G bits per second, as in 100M or 100mbit.")]
    [InlineData("cable --a tap:x --b tap:y --queue 0", "--queue is \"0\"; it must be frames from 1, as in 100, bytes, as in 64KiB, or a time, as in 20ms")]
    [InlineData("cable --a tap:x --b tap:y --queue 5GiB", "--queue is \"5GiB\"; it must be frames")]
    [InlineData("cable --a tap:x --b tap:y --duration 0", "--duration is \"0\"; it must be a time from 1ms to 480h, as in 20ms.")]
    [InlineData("ping no..body", "HOST is \"no..body\"; it must be the name of a host or an address, as in www.example.org, 10.99.0.1 or fe80::1%tw0.")]
    [InlineData("ping 10.0.0.1 --count 0", "--count is \"0\"; it must be a number from 1 to 65535.")]
    [InlineData("fly", "'fly'")]
    [InlineData("demo --fly", "'--fly'")]
    public async Task A_wrong_command_line_is_2_with_a_line_that_says_what_is_wrong(string line, string complaint)
    {
        var run = await RunAsync(line.Split(' '));
        Assert.Equal(2, run.Code);
        Assert.Contains(complaint, run.Error, StringComparison.Ordinal);
        Assert.All(run.ErrorLines, text => Assert.StartsWith("tapwire: ", text, StringComparison.Ordinal));
        Assert.Matches("^tapwire: see 'tapwire[a-z ]* --help'\\.$", run.ErrorLines[^1]);
        Assert.Empty(run.Output);
    }

    [Fact]
    public async Task Every_problem_has_a_line_of_its_own()
    {
        var run = await RunAsync("demo", "--size", "x", "--loss", "y");
        Assert.Equal(2, run.Code);
        Assert.Equal(3, run.ErrorLines.Length);
    }

    [Theory]
    [InlineData("--help", "demo")]
    [InlineData("demo --help", "--loss")]
    [InlineData("up --help", "--serve")]
    [InlineData("cable --help", "--loss-burst")]
    [InlineData("status --help", "--json")]
    [InlineData("ping --help", "--interval")]
    [InlineData("doctor --help", "--config")]
    [InlineData("run --help", "tapwire run [options] -- <PROGRAM> [argument]...")]
    [InlineData("demo --help", "256MiB when not given")]
    [InlineData("up --help", "Examples:")]
    [InlineData("", "demo")]
    [InlineData("demo --size nonsense --help", "--loss")]
    public async Task Help_is_0_and_names_what_there_is(string line, string mentions)
    {
        var run = await RunAsync(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(0, run.Code);
        Assert.All(run.Output.Split(Environment.NewLine), text => Assert.True(text.Length <= 88, text));
        Assert.DoesNotContain("[default", run.Output, StringComparison.Ordinal);
        Assert.Contains(mentions, run.Output, StringComparison.Ordinal);
        Assert.Empty(run.Error);
    }

    [Theory]
    [InlineData("status")]
    [InlineData("status --json")]
    [InlineData("ping 10.0.0.1")]
    public async Task Without_a_driver_it_is_1_with_advice(string line)
    {
        var path = Path.Combine(_directory.FullName, "nobody.sock");
        var run = await RunAsync([.. line.Split(' '), "--link", path]);
        Assert.Equal(1, run.Code);
        Assert.StartsWith($"tapwire: No driver answers at '{path}'", Assert.Single(run.ErrorLines), StringComparison.Ordinal);
        Assert.Contains("start one with 'tapwire up'", run.Error, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    [Fact]
    public async Task A_driver_that_goes_while_it_is_asked_is_1_with_the_reason()
    {
        var path = Path.Combine(_directory.FullName, "going.sock");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen(1);
        var driver = Task.Run(async () =>
        {
            using var session = await listener.AcceptAsync();
            var hello = new byte[LinkProtocol.HelloSize];
            await session.ReceiveAsync(hello);
            await session.SendAsync(hello);
            await session.ReceiveAsync(new byte[1]);
        });
        var run = await RunAsync("status", "--link", path);
        await driver;
        Assert.Equal(1, run.Code);
        Assert.Equal("tapwire: The driver has ended the connection: it has stopped, or is stopping.", Assert.Single(run.ErrorLines));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_driver_that_does_not_answer_in_time_is_1_with_what_to_do(bool greets)
    {
        var path = Path.Combine(_directory.FullName, "silent.sock");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen(1);
        var running = RunAsync("status", "--timeout", "100ms", "--link", path);
        using var session = await listener.AcceptAsync();
        var hello = new byte[LinkProtocol.HelloSize];
        LinkProtocol.WriteHello(hello);
        if (greets)
            await session.SendAsync(hello);
        var run = await running;
        Assert.Equal(1, run.Code);
        Assert.StartsWith($"tapwire: The driver at '{path}' has not answered within 100ms: ", Assert.Single(run.ErrorLines), StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    [Fact]
    public async Task Up_without_an_address_is_2_with_advice()
    {
        var run = await RunAsync("up");
        Assert.Equal(2, run.Code);
        Assert.Contains("give one with --address", Assert.Single(run.ErrorLines), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--a tap:x --b tun:y", "tapwire: tap:x and tun:y do not go together: a tap device carries Ethernet frames, a tun device IP packets.")]
    [InlineData("--a tap:x --b tap:x", "tapwire: --a and --b are the same device, x: a cable needs two.")]
    [InlineData("--a tap:x --b tap:y --queue 10", "tapwire: From a to b: --queue limits what waits for the line, and without --bandwidth nothing waits.")]
    public async Task A_cable_that_cannot_be_is_2_with_a_line_that_says_why(string line, string complaint)
    {
        var run = await RunAsync(["cable", .. line.Split(' ')]);
        Assert.Equal(2, run.Code);
        Assert.Equal(complaint, Assert.Single(run.ErrorLines));
    }

    [Fact]
    public async Task Up_with_a_bad_setting_is_2_with_file_and_line()
    {
        var file = Path.Combine(_directory.FullName, "own.conf");
        await File.WriteAllTextAsync(file, "tapwire {\n  tcp.retries = 1000\n}\n");
        var run = await RunAsync("up", "--config", file);
        Assert.Equal(2, run.Code);
        Assert.StartsWith($"tapwire: {file} line 2: tapwire.tcp.retries is \"1000\"", Assert.Single(run.ErrorLines), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tapwire } {\n", " line 1, column 9: expected '=', ':' or '{' after the key 'tapwire', found '}'.")]
    [InlineData("tapwire {\n  addresses = [1, 2 }\n", " line 2, column 21: expected ',', a new line or ']' after the value, found '}'.")]
    [InlineData("tapwire.tcp = 5\n", " line 1: tapwire.tcp is a section and has no value of its own; write its keys, as in tapwire.tcp.receive-buffer.")]
    [InlineData("\u007FELF", " line 1, column 1: the character U+007F is no part of a text; settings are a file of UTF-8 text.")]
    [InlineData("akka.loglevel = LOUD\n", " line 1: akka.loglevel is \"LOUD\"; it must be one of OFF, ERROR, WARNING, INFO, DEBUG.")]
    public async Task Up_with_a_file_that_is_not_one_of_settings_is_2_with_the_place(string text, string complaint)
    {
        var file = Path.Combine(_directory.FullName, "own.conf");
        await File.WriteAllTextAsync(file, text);
        var run = await RunAsync("up", "--config", file);
        Assert.Equal(2, run.Code);
        Assert.Equal($"tapwire: {file}{complaint}", Assert.Single(run.ErrorLines));
    }

    [Fact]
    public async Task Up_with_a_file_that_is_not_there_is_2_with_its_name()
    {
        var run = await RunAsync("up", "--config", "/nowhere/own.conf");
        Assert.Equal(2, run.Code);
        Assert.Contains("'/nowhere/own.conf' cannot be read", Assert.Single(run.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Up_with_two_services_on_a_port_is_2()
    {
        var run = await RunAsync("up", "--address", "10.0.0.1/24", "--serve", "echo:7,http:7");
        Assert.Equal(2, run.Code);
        Assert.Contains("Two services on port 7: echo:7, http:7", Assert.Single(run.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Up_with_the_stacks_own_address_for_the_kernels_end_is_2()
    {
        var run = await RunAsync("up", "--address", "10.0.0.1/24", "--peer-address", "10.0.0.1/24");
        Assert.Equal((2, "tapwire: The peer address 10.0.0.1/24 is the stack's own; the kernel's end of the wire needs another one of that network."),
            (run.Code, Assert.Single(run.ErrorLines)));
    }

    [Fact]
    public async Task Demo_sends_a_file_and_it_arrives_intact()
    {
        var run = await RunAsync("demo", "--size", "1MiB");
        Assert.Equal((0, ""), (run.Code, run.Error));
        AssertHashesAgree(run.Output);
    }

    [Fact]
    public async Task Demo_over_a_cable_that_loses_reorders_duplicates_and_corrupts_arrives_intact()
    {
        var run = await RunAsync(
            "demo", "--size", "300KiB", "--connections", "3", "--loss", "0.02", "--reorder", "0.02", "--duplicate", "0.02", "--corrupt", "0.01", "--latency", "1ms", "--seed", "5");
        Assert.Equal((0, ""), (run.Code, run.Error));
        AssertHashesAgree(run.Output);
        Assert.Matches("cable: lost +[1-9]", run.Output);
        Assert.Matches("cable: duplicated +[1-9]", run.Output);
    }

    private static void AssertHashesAgree(string output)
    {
        var hashes = Sha256().Matches(output).Select(match => match.Value).ToList();
        Assert.Equal(2, hashes.Count);
        Assert.Equal(hashes[0], hashes[1]);
    }

    [GeneratedRegex("[0-9a-f]{64}")]
    private static partial Regex Sha256();

    private static Task<CommandLineRun> RunAsync(params string[] args) => CommandLineRun.OfAsync(args);
}
