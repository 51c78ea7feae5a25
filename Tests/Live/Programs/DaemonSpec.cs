using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>Servers that give up what root may do before they serve, as their packages have them: by a chroot, another user, processes and threads.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class DaemonSpec(CleanPath path) : IClassFixture<CleanPath>
{
    private const string Nobody = "nobody";

    [SkippableFact]
    public async Task Haproxy_in_its_chroot_serves_from_several_threads()
    {
        path.Need("haproxy", "curl", "python3");
        using var files = await path.ServeFilesAsync(8320);
        var settings = Write("haproxy.cfg", $"""
            global
                chroot {Empty("haproxy")}
                user {Nobody}
                nbthread 4
            defaults
                mode http
                timeout connect 10s
                timeout client 30s
                timeout server 30s
            frontend all
                bind {ProgramPath.Tapwire}:8321
                default_backend files
            backend files
                server kernel {ProgramPath.Kernel}:8320

            """);
        using var server = await path.ServeOnTapwireAsync(8321, "haproxy", "-f", settings);
        Assert.Equal(path.Digest, Fetch($"http://{ProgramPath.Tapwire}:8321/file"));
        var codes = path.RunOnKernel("sh", "-c", $"seq 100 | xargs -P 8 -I{{}} curl -sS -o /dev/null -w '%{{http_code}}\\n' http://{ProgramPath.Tapwire}:8321/small");
        Assert.Equal(string.Concat(Enumerable.Repeat("200\n", 100)), codes);
    }

    [SkippableFact]
    public async Task Memcached_that_root_starts_as_another_user_serves_from_several_threads()
    {
        path.Need("memcached", "python3");
        using var server = await path.ServeOnTapwireAsync(8322, "memcached", "-u", Nobody, "-l", ProgramPath.Tapwire, "-p", "8322", "-U", "0", "-t", "4");
        Assert.Equal("80\n", path.RunOnKernel("python3", "-c", $$"""
            import concurrent.futures, socket
            def ask(key):
                with socket.create_connection(("{{ProgramPath.Tapwire}}", 8322), 10) as s:
                    s.sendall(b"set %d 0 0 5\r\nhello\r\nget %d\r\n" % (key, key))
                    text = b""
                    while not text.endswith(b"END\r\n"):
                        text += s.recv(100)
                    return b"hello" in text
            with concurrent.futures.ThreadPoolExecutor(8) as threads:
                print(sum(threads.map(ask, range(80))))
            """));
    }

    /// <summary>Each connection has processes of its own, in namespaces and a chroot, and opens data connections both ways.</summary>
    [SkippableFact]
    public async Task Vsftpd_with_the_isolation_that_it_has_by_default_serves_files()
    {
        path.Need("vsftpd", "curl");
        var settings = Write("vsftpd.conf", $"""
            listen=YES
            listen_ipv6=NO
            listen_address={ProgramPath.Tapwire}
            listen_port=8323
            background=NO
            anonymous_enable=YES
            local_enable=NO
            no_anon_password=YES
            anon_root={path.Files}
            secure_chroot_dir={Empty("vsftpd")}

            """);
        using var server = await path.ServeOnTapwireAsync(8323, "vsftpd", settings);
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(path.Digest, Fetch($"ftp://{ProgramPath.Tapwire}:8323/file"));
            Assert.Equal(path.Digest, Fetch($"--ftp-port - ftp://{ProgramPath.Tapwire}:8323/file"));
        }
    }

    [SkippableFact]
    public async Task Unbound_in_its_chroot_asks_and_answers_from_several_threads()
    {
        path.Need("unbound", "dig", "dnsmasq");
        var directory = Empty("unbound");
        var settings = Write("unbound.conf", $"""
            server:
                interface: {ProgramPath.Tapwire}
                port: 8324
                num-threads: 4
                so-reuseport: no
                access-control: 0.0.0.0/0 allow
                chroot: "{directory}"
                directory: "{directory}"
                username: "{Nobody}"
                pidfile: ""
                use-syslog: no
                do-daemonize: no
                do-ip6: no
                module-config: "iterator"
            forward-zone:
                name: "."
                forward-addr: {ProgramPath.Kernel}@8325

            """);
        using var upstream = await path.ServeOnKernelAsync(8325, "dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--bind-interfaces",
            $"--listen-address={ProgramPath.Kernel}", "--port=8325", "--address=/example/192.0.2.7");
        using var server = await path.ServeOnTapwireAsync(8324, "unbound", "-d", "-c", settings);
        foreach (var transport in (string[])["+notcp", "+tcp"])
        {
            for (var i = 0; i < 8; i++)
                Assert.Equal("192.0.2.7\n", path.RunOnKernel("dig", "+short", "+time=5", transport, $"@{ProgramPath.Tapwire}", "-p", "8324", $"a{i}.{transport[1..]}.example."));
        }
    }

    private string Fetch(string arguments) => path.RunOnKernel("sh", "-c", $"curl -sS {arguments} | sha256sum | cut -d' ' -f1").Trim();

    private string Write(string name, string text)
    {
        var file = Path.Combine(path.Files, name);
        File.WriteAllText(file, text);
        return file;
    }

    private string Empty(string name) => Directory.CreateDirectory(Path.Combine(path.Files, $"empty-{name}")).FullName;
}
