using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary><c>tapwire run --netns</c>: programs on the kernel's sockets in a namespace whose only way out is the driver.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class NetnsSpec(NetnsPath path) : IClassFixture<NetnsPath>
{
    private const string NoServer = "tapwire: No name server of this machine is reachable through the driver, so that the program finds no names; name one with --dns.\n";

    [SkippableFact]
    public async Task A_static_program_has_tapwires_network()
    {
        path.Need("cc", "python3");
        var program = Path.Combine(path.Files, "get");
        var source = Path.Combine(path.Files, "get.c");
        await File.WriteAllTextAsync(source, Get);
        Skip.If(path.Driver.Namespace.TryExec("cc", "-static", "-o", program, source).ExitCode != 0, "there is no static C library");
        using var server = await path.ServeOnKernelAsync(8110, "python3", "-u", "-m", "http.server", "-d", path.Files, "--bind", ProgramPath.Kernel, "8110");
        var ended = Run(program, ProgramPath.Kernel, "8110");
        Assert.Equal(0, ended.ExitCode);
        Assert.EndsWith("small\n", ended.Output, StringComparison.Ordinal);
        await LiveDriver.EventuallyAsync(() => Task.FromResult(server.Output.Contains($"{ProgramPath.Tapwire} - -", StringComparison.Ordinal)),
            () => $"No request has come from {ProgramPath.Tapwire}:\n{server.Output}");
    }

    [SkippableFact]
    public async Task A_long_answer_arrives_whole()
    {
        path.Need("curl", "python3", "sha256sum");
        using var server = await path.ServeFilesAsync(8111);
        var ended = Run("sh", "-c", $"curl -sS http://{ProgramPath.Kernel}:8111/file | sha256sum");
        Assert.Equal((0, $"{path.Digest}  -\n"), (ended.ExitCode, ended.Output));
    }

    [SkippableFact]
    public void What_destinations_say_the_program_sees()
    {
        path.Need("python3");
        var ended = Run("python3", "-c", """
            import errno, socket
            def error(call):
                try: call()
                except OSError as e: return errno.errorcode[e.errno]
            def connect(address, port):
                s = socket.socket(); s.settimeout(20); s.connect((address, port))
            def ask(address, port):
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(20); s.connect((address, port)); s.send(b"x"); s.recv(1)
            print(error(lambda: connect("10.99.0.1", 9)), error(lambda: connect("10.50.0.1", 9)), error(lambda: connect("10.99.0.77", 9)),
                error(lambda: ask("10.99.0.1", 9)), error(lambda: connect("10.99.0.2", 9)), error(lambda: connect("127.0.0.1", 9)))
            """);
        Assert.Equal((0, "ECONNREFUSED ENETUNREACH EHOSTUNREACH ECONNREFUSED ECONNREFUSED ECONNREFUSED\n", NoServer), (ended.ExitCode, ended.Output, ended.Error));
    }

    [SkippableFact]
    public async Task Datagrams_and_echo_requests_are_answered()
    {
        path.Need("python3", "ping");
        using var server = await path.ServeOnKernelAsync(8112, "python3", "-u", "-c", """
            import socket
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("10.99.0.1", 8112))
            while True:
                d, a = s.recvfrom(2000); s.sendto(d, a)
            """);
        var ended = Run("sh", "-c", """
            python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(20); s.sendto(b"hello", ("10.99.0.1", 8112)); print(s.recvfrom(9))'
            ping -c 2 -W 10 10.99.0.1 | grep received
            """);
        Assert.Equal(0, ended.ExitCode);
        Assert.StartsWith("(b'hello', ('10.99.0.1', 8112))\n2 packets transmitted, 2 received, 0% packet loss", ended.Output, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task Datagrams_and_pings_of_every_length_go_both_ways()
    {
        path.Need("python3", "ping");
        using var server = await path.ServeOnKernelAsync(8113, "python3", "-u", ProgramPath.SourceOf("udp_echo.py"), "10.99.0.1", "8113");
        var ended = Run("sh", "-c", """
            python3 -c '
            import os, socket
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(20)
            for n in 0, 1, 1472, 1473, 2952, 2953, 9000, 65507:
                sent = os.urandom(n); s.sendto(sent, ("10.99.0.1", 8113)); print(s.recv(65536) == sent)'
            ping -c 1 -W 10 -s 20000 10.99.0.1 | grep -o '1 received'
            """);
        Assert.Equal((0, string.Concat(Enumerable.Repeat("True\n", 8)) + "1 received\n"), (ended.ExitCode, ended.Output));
    }

    [SkippableFact]
    public void Name_servers_are_those_that_are_named()
    {
        var ended = TapwireProgram.Run(path.Driver.Namespace, "run", "--netns", "--dns", "10.99.0.1", "--link", path.Driver.LinkPath, "--", "grep", "nameserver", "/etc/resolv.conf");
        Skip.IfNot(File.Exists("/etc/resolv.conf"), "there is no /etc/resolv.conf");
        Assert.Equal((0, "nameserver 10.99.0.1\n", ""), (ended.ExitCode, ended.Output, ended.Error));
        Assert.DoesNotContain("10.99.0.1", File.ReadAllText("/etc/resolv.conf"), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData(7, "exit 7")]
    [InlineData(137, "kill -KILL $$")]
    public void The_exit_code_is_the_programs(int code, string script) => Assert.Equal(code, Run("sh", "-c", script).ExitCode);

    [SkippableFact]
    public void Signals_reach_the_program()
    {
        var program = TapwireProgram.Start(path.Driver.Namespace, "run", "--netns", "--link", path.Driver.LinkPath, "--", "sh", "-c",
            "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.05; done");
        program.WaitForLine("ready");
        program.Signal(TapwireProgram.SIGTERM);
        Assert.Equal(5, program.WaitForExit().ExitCode);
    }

    [SkippableFact]
    public void A_driver_of_its_own_serves_the_namespace_too()
    {
        path.Need("ping");
        var ended = TapwireProgram.Run(path.Driver.Namespace, "run", "--netns", "--wire", "tap:tw7", "--address", "10.96.0.2/24", "--peer-address", "10.96.0.1/24", "--",
            "sh", "-c", "ping -c 1 -W 10 10.96.0.1 >/dev/null && exit 3");
        Assert.Equal(3, ended.ExitCode);
    }

    [SkippableFact]
    public void An_ordinary_user_needs_no_privilege_and_stays_the_same()
    {
        path.Need("setpriv", "mknod", "ping");
        var node = Path.Combine(path.Files, "tun");
        Skip.If(path.Driver.Namespace.TryExec("sh", "-c", $"mknod -m 666 {node} c 10 200").ExitCode != 0, "no device can be made here");
        path.Driver.Namespace.Exec("chmod", "0711", Path.GetDirectoryName(path.Driver.LinkPath)!);
        // The device's usual mode, for this program alone: ip-netns(8) gives it mounts of its own.
        string[] user = ["sh", "-c", $"mount --bind {node} /dev/net/tun && exec setpriv --reuid {NetnsPath.User} --regid {NetnsPath.User} --clear-groups \"$@\"", "sh"];
        Skip.If(path.Driver.Namespace.TryExec(user[0], [.. user[1..], "sh", "-c", $"test -r {TapwireProgram.Assembly} && test -r {node} && unshare -Un true"]).ExitCode != 0,
            "an ordinary user may not read the program here, or have namespaces");
        var ended = TapwireProgram.StartBy(path.Driver.Namespace, user, "run", "--netns", "--link", path.Driver.LinkPath, "--", "sh", "-c",
            "id -u; ping -c 1 -W 10 10.99.0.1 | grep -c ' 0% packet loss'").WaitForExit();
        Assert.Equal((0, $"{NetnsPath.User}\n1\n", NoServer), (ended.ExitCode, ended.Output, ended.Error));
    }

    private CommandResult Run(params string[] command) => TapwireProgram.Run(path.Driver.Namespace, ["run", "--netns", "--link", path.Driver.LinkPath, "--", .. command]);

    private const string Get = """
        #include <arpa/inet.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <unistd.h>
        int main(int count, char **arguments)
        {
            char text[4096] = "GET /small HTTP/1.0\r\n\r\n";
            struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[count - 1]))};
            inet_pton(AF_INET, arguments[1], &to.sin_addr);
            int s = socket(AF_INET, SOCK_STREAM, 0);
            if (connect(s, (struct sockaddr *)&to, sizeof to) != 0 || write(s, text, strlen(text)) < 0)
                return 1;
            for (ssize_t n; (n = read(s, text, sizeof text)) > 0;)
                fwrite(text, 1, n, stdout);
            return 0;
        }
        """;
}

/// <summary>A wire that loses nothing, and a link that an ordinary user may use.</summary>
public sealed class NetnsPath() : ProgramPath($"tapwire.link.users = [\"{User}\"]", "")
{
    public const int User = 4242;
}
