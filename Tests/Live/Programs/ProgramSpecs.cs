using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>Programs of other people on Tapwire's sockets, with the kernel's at the other end: each ends as it does on the kernel.</summary>
public abstract partial class ProgramSpecs(ProgramPath path)
{
    private string Url => $"http://{path.KernelHost}";

    /// <summary>The kernel's address, and that of the stack.</summary>
    private string Kernel => path.KernelAddress;

    private string Tapwire => path.TapwireAddress;

    [SkippableFact]
    public async Task Curl_and_wget_download_over_http()
    {
        path.Need("curl", "wget", "python3");
        using var server = await path.ServeFilesAsync(8001);
        Assert.Equal(path.Digest, Sha256($"curl -sS {Url}:8001/file"));
        Assert.Equal(path.Digest, Sha256($"wget -q -O - {Url}:8001/file"));
    }

    [SkippableFact]
    public async Task Curl_downloads_over_https_by_a_local_authority()
    {
        path.Need("curl", "openssl");
        MakeCertificate(Kernel);
        using var server = await path.ServeOnKernelAsync(8002,
            "sh", "-c", $"cd {path.Files} && exec openssl s_server -accept {path.KernelHost}:8002 -cert cert.pem -key key.pem -WWW");
        Assert.Equal(path.Digest, Sha256($"curl -sS --cacert {path.Files}/ca.pem https://{path.KernelHost}:8002/file"));
    }

    [SkippableTheory]
    [InlineData("-n 32M")]
    [InlineData("-n 32M -R")]
    [InlineData("-n 32M -P 8")]
    [InlineData("-n 32M --bidir")]
    [InlineData("-n 1M -u -b 50M")]
    [InlineData("-n 1M -u -b 50M -R")]
    public async Task Iperf3_measures_from_and_to_tapwire(string mode)
    {
        path.Need("iperf3");
        string[] options = ["--json", .. mode.Split(' ', StringSplitOptions.RemoveEmptyEntries)];
        AssertMoved(await MeasureAsync(
            () => path.ServeOnKernelAsync(5201, "iperf3", "-s", "-1", "-B", Kernel), () => path.RunOnTapwire(["iperf3", "-c", Kernel, .. options])));
        AssertMoved(await MeasureAsync(
            () => path.ServeOnTapwireAsync(5202, "iperf3", "-s", "-1", "-p", "5202"), () => path.RunOnKernel(["iperf3", "-c", Tapwire, "-p", "5202", .. options])));

        static void AssertMoved(JsonElement result)
        {
            var end = result.GetProperty("end");
            var sum = end.TryGetProperty("sum_received", out var received) ? received : end.GetProperty("sum");
            // A run in both directions ends when one of them has moved its bytes, however far the other is.
            var back = end.TryGetProperty("sum_received_bidir_reverse", out var reverse) ? reverse.GetProperty("bytes").GetInt64() : 0;
            Assert.True(sum.GetProperty("bytes").GetInt64() + back > 100_000, $"{result}");
        }
    }

    /// <summary>iperf3 begins a stream of datagrams with one that it sends only once, and gives up where that one is lost: then it is run again.</summary>
    private static async Task<JsonElement> MeasureAsync(Func<Task<ServerProgram>> serve, Func<string> measure)
    {
        const int Attempts = 3;
        for (var attempt = 1; ; attempt++)
        {
            using var server = await serve();
            var result = JsonDocument.Parse(measure()).RootElement;
            if (attempt == Attempts || !result.TryGetProperty("error", out var error) || !error.GetString()!.Contains("stream", StringComparison.Ordinal))
                return result;
        }
    }

    [SkippableFact]
    public async Task Nginx_serves_500_connections_that_stay_open()
    {
        path.Need("nginx", "wrk", "curl");
        var directory = Directory.CreateDirectory(Path.Combine(path.Files, "nginx")).FullName;
        File.WriteAllText(Path.Combine(directory, "nginx.conf"), $$"""
            worker_processes 2;
            daemon off;
            pid {{directory}}/pid;
            error_log {{directory}}/error.log;
            events { worker_connections 2048; }
            http {
                access_log off;
                sendfile on;
                tcp_nopush on;
                client_body_temp_path {{directory}}/body;
                proxy_temp_path {{directory}}/proxy;
                fastcgi_temp_path {{directory}}/fastcgi;
                uwsgi_temp_path {{directory}}/uwsgi;
                scgi_temp_path {{directory}}/scgi;
                keepalive_requests 1000000;
                server { listen {{path.AnyHost}}:8003 backlog=1024; root {{path.Files}}; location /proxied/ { proxy_pass http://{{path.KernelHost}}:8013/; } }
            }
            """);
        using var nginx = await path.ServeOnTapwireAsync(8003, "nginx", "-c", $"{directory}/nginx.conf", "-p", directory);
        using var behind = await path.ServeFilesAsync(8013);
        var errors = Path.Combine(directory, "error.log");
        Assert.Equal(path.Digest, Sha256OnKernel($"curl -sS http://{path.TapwireHost}:8003/file"));
        Assert.Equal("small\n", path.RunOnKernel("curl", "-sS", $"http://{path.TapwireHost}:8003/proxied/small"));

        // Each connection has an answer at least, however long a busy machine takes for that.
        var requests = 0;
        foreach (var duration in (string[])["1s", "5s", "20s"])
        {
            var report = path.RunOnKernel("wrk", "-t2", "-c500", $"-d{duration}", "--timeout", "20s", $"http://{path.TapwireHost}:8003/small");
            Assert.DoesNotContain("Socket errors", report, StringComparison.Ordinal);
            Assert.DoesNotContain("Non-2xx", report, StringComparison.Ordinal);
            requests = int.Parse(Requests().Match(report).Groups[1].Value, CultureInfo.InvariantCulture);
            if (requests >= 500)
                break;
        }

        Assert.InRange(requests, 500, int.MaxValue);
        Assert.Equal("", File.ReadAllText(errors));
    }

    [SkippableFact]
    public async Task Redis_serves_and_its_benchmark_asks()
    {
        path.Need("redis-server", "redis-benchmark");
        using var tapwire = await path.ServeOnTapwireAsync(6379, "redis-server", "--bind", path.AnyAddress, "--protected-mode", "no", "--save", "");
        AssertFast(path.RunOnKernel("redis-benchmark", "-h", Tapwire, "-q", "-n", "2000", "-c", "20", "-t", "ping,set,get,lpush"));
        using var kernel = await path.ServeOnKernelAsync(6380, "redis-server", "--bind", Kernel, "--port", "6380", "--protected-mode", "no", "--save", "");
        AssertFast(path.RunOnTapwire("redis-benchmark", "-h", Kernel, "-p", "6380", "-q", "-n", "2000", "-c", "20", "-t", "ping,set,get,lpush"));

        static void AssertFast(string report)
        {
            foreach (var name in (string[])["PING_INLINE", "PING_MBULK", "SET", "GET", "LPUSH"])
                Assert.Matches($@"{name}: [\d.]+ requests per second", report);
        }
    }

    [SkippableFact]
    public async Task Ssh_runs_a_command_and_scp_copies_both_ways()
    {
        path.Need("sshd", "ssh", "scp", "ssh-keygen");
        var keys = Directory.CreateDirectory(Path.Combine(path.Files, "ssh")).FullName;
        Directory.CreateDirectory("/run/sshd");
        foreach (var key in (string[])["host", "user"])
        {
            if (!File.Exists($"{keys}/{key}"))
                path.RunOnKernel("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", $"{keys}/{key}");
        }

        File.WriteAllText($"{keys}/config", $"""
            HostKey {keys}/host
            AuthorizedKeysFile {keys}/user.pub
            StrictModes no
            PidFile none
            PermitRootLogin yes
            Subsystem sftp internal-sftp
            """);
        string[] client = ["-i", $"{keys}/user", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"];
        var sshd = path.RunOnKernel("sh", "-c", "command -v sshd").Trim();

        using var tapwire = await path.ServeOnTapwireAsync(2222, sshd, "-D", "-e", "-f", $"{keys}/config", "-p", "2222");
        Assert.StartsWith($"{Kernel} ", path.RunOnKernel(["ssh", .. client, "-p", "2222", $"root@{Tapwire}", "echo $SSH_CONNECTION"]), StringComparison.Ordinal);
        path.RunOnKernel(["scp", .. client, "-P", "2222", $"{path.Files}/file", $"root@{path.TapwireHost}:{keys}/copy"]);
        Assert.Equal(path.Digest, Sha256OnKernel($"cat {keys}/copy"));

        using var kernel = await path.ServeOnKernelAsync(2223, sshd, "-D", "-e", "-f", $"{keys}/config", "-p", "2223", "-o", $"ListenAddress={Kernel}");
        Assert.StartsWith($"{Tapwire} ", path.RunOnTapwire(["ssh", .. client, "-p", "2223", $"root@{Kernel}", "echo $SSH_CONNECTION"]), StringComparison.Ordinal);
        path.RunOnTapwire(["scp", .. client, "-P", "2223", $"root@{path.KernelHost}:{path.Files}/file", $"{keys}/back"]);
        Assert.Equal(path.Digest, Sha256OnKernel($"cat {keys}/back"));
    }

    [SkippableFact]
    public async Task Python_serves_files_and_fetches_by_asyncio()
    {
        path.Need("python3", "curl");
        using var tapwire = await path.ServeOnTapwireAsync(8004, "python3", "-m", "http.server", "-d", path.Files, "--bind", path.AnyAddress, "8004");
        Assert.Equal(path.Digest, Sha256OnKernel($"curl -sS http://{path.TapwireHost}:8004/file"));
        using var kernel = await path.ServeFilesAsync(8005);
        var said = path.RunOnTapwire("python3", ProgramPath.SourceOf("asyncio_client.py"), Kernel, "8005", "/small", "50");
        Assert.StartsWith("50 ", said, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task Node_serves_and_fetches()
    {
        path.Need("node", "curl", "python3");
        using var tapwire = await path.ServeOnTapwireAsync(8006, "node", ProgramPath.SourceOf("server.js"), "8006", $"{path.Files}/file");
        Assert.Equal(path.Digest, Sha256OnKernel($"curl -sS http://{path.TapwireHost}:8006/"));
        using var kernel = await path.ServeFilesAsync(8007);
        Assert.Equal(path.Digest, path.RunOnTapwire("node", ProgramPath.SourceOf("client.js"), $"{Url}:8007/file").Trim());
    }

    [SkippableFact]
    public async Task Openssl_talks_in_both_roles()
    {
        path.Need("openssl");
        MakeCertificate(Tapwire);
        string[] server = ["openssl", "s_server", "-cert", $"{path.Files}/cert.pem", "-key", $"{path.Files}/key.pem", "-rev", "-accept"];
        using var tapwire = await path.ServeOnTapwireAsync(4433, [.. server, "4433"]);
        Assert.Contains("olleh", path.RunOnKernel("sh", "-c", Client(path.TapwireHost, 4433)), StringComparison.Ordinal);
        using var kernel = await path.ServeOnKernelAsync(4434, [.. server, $"{path.KernelHost}:4434"]);
        Assert.Contains("olleh", path.RunOnTapwire("sh", "-c", Client(path.KernelHost, 4434)), StringComparison.Ordinal);

        // -rev ends the connection at the word CLOSE, and so the client.
        static string Client(string address, int port) => $"printf 'hello\\nCLOSE\\n' | timeout 20 openssl s_client -connect {address}:{port} -quiet 2>/dev/null";
    }

    [SkippableFact]
    public async Task Netcat_closes_one_direction_and_reads_on()
    {
        path.Need("nc", "python3");
        string[] server = ["python3", ProgramPath.SourceOf("answer_after_eof.py")];
        using var kernel = await path.ServeOnKernelAsync(5000, [.. server, Kernel, "5000", $"{path.Files}/file"]);
        Assert.Equal(path.Digest, Sha256($"printf hello | nc -N {Kernel} 5000"));
        using var tapwire = await path.ServeOnTapwireAsync(5001, [.. server, Tapwire, "5001", $"{path.Files}/file"]);
        Assert.Equal(path.Digest, Sha256OnKernel($"printf hello | nc -N {Tapwire} 5001"));
        foreach (var each in (ServerProgram[])[kernel, tapwire])
        {
            each.WaitForExit();
            Assert.Contains("hello", each.Output, StringComparison.Ordinal);
        }
    }

    [SkippableFact]
    public async Task Dig_asks_dnsmasq_by_udp_and_tcp()
    {
        path.Need("dig", "dnsmasq");
        string[] options = ["-k", "--no-resolv", "--no-hosts", "--bind-interfaces", "--address=/name.test/192.0.2.1", "--user=root"];
        using var kernel = await path.ServeOnKernelAsync(5300, ["dnsmasq", .. options, $"--listen-address={Kernel}", "--port=5300"]);
        using var tapwire = await path.ServeOnTapwireAsync(5301, ["dnsmasq", .. options, $"--listen-address={Tapwire}", "--port=5301"]);
        foreach (var transport in (string[])["+notcp", "+tcp"])
        {
            Assert.Equal("192.0.2.1\n", Answer(path.RunOnTapwire("dig", transport, "+short", $"@{Kernel}", "-p", "5300", "name.test")));
            Assert.Equal("192.0.2.1\n", Answer(path.RunOnKernel("dig", transport, "+short", $"@{Tapwire}", "-p", "5301", "name.test")));
        }

        // dig tells in a comment before the answer that it had to ask again.
        static string Answer(string output) => string.Concat(output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(static line => !line.StartsWith(";;", StringComparison.Ordinal)).Select(static line => line + '\n'));
    }

    [SkippableFact]
    public async Task Git_clones_over_http()
    {
        path.Need("git", "python3");
        path.RunOnKernel("sh", "-ec", $"""
            cd {path.Files}
            git init -q --bare repository.git
            git clone -q repository.git work 2>/dev/null
            cd work
            seq 1 100000 > numbers
            git add numbers
            git -c user.name=a -c user.email=a@example.com commit -qm numbers
            git push -q
            cd ../repository.git
            git update-server-info
            """);
        using var server = await path.ServeFilesAsync(8008);
        path.RunOnTapwire("git", "clone", "-q", $"{Url}:8008/repository.git", $"{path.Files}/clone");
        Assert.Equal(100_000, File.ReadLines($"{path.Files}/clone/numbers").Count());
    }

    [SkippableFact]
    public async Task A_dotnet_client_fetches()
    {
        path.Need("python3");
        using var server = await path.ServeFilesAsync(8009);
        Assert.Equal(path.Digest, path.RunOnTapwire(TapwireProgram.Host, "exec", typeof(ProgramSpecs).Assembly.Location, "get", $"{Url}:8009/file").Trim());
    }

    [SkippableFact]
    public async Task A_java_client_fetches()
    {
        path.Need("python3", "javac");
        using var server = await path.ServeFilesAsync(8010);
        path.RunOnKernel("javac", "-d", path.Files, ProgramPath.SourceOf("Get.java"));
        Assert.Equal(path.Digest, path.RunOnTapwire("java", "-cp", path.Files, "Get", $"{Url}:8010/file").Trim());
    }

    private string Sha256(string command) => Digest(path.OnTapwire("bash", "-c", $"set -o pipefail; {command} | sha256sum"));

    private string Sha256OnKernel(string command) => Digest(["bash", "-c", $"set -o pipefail; {command} | sha256sum"]);

    private string Digest(string[] command) => path.RunOnKernel(command).Split(' ')[0];

    /// <summary>A certificate for an address, and the authority that signed it.</summary>
    private void MakeCertificate(string address) => path.RunOnKernel("sh", "-ec", $"""
        cd {path.Files}
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority 2>/dev/null
        openssl req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN={address} 2>/dev/null
        echo subjectAltName=IP:{address} > extensions
        openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out cert.pem 2>/dev/null
        """);

    [GeneratedRegex(@"(\d+) requests in")]
    private static partial Regex Requests();
}

[Collection(LiveProgramsCollection.Name)]
public sealed class ProgramSpec(CleanPath path) : ProgramSpecs(path), IClassFixture<CleanPath>;

[Collection(LiveProgramsCollection.Name)]
public sealed class ProgramUnderLossSpec(LossyPath path) : ProgramSpecs(path), IClassFixture<LossyPath>;

/// <summary>The same programs over IPv6.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class ProgramOverIpv6Spec(CleanPathV6 path) : ProgramSpecs(path), IClassFixture<CleanPathV6>;
