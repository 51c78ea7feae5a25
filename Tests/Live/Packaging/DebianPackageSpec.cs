using System.Net;
using System.Net.Sockets;
using System.Text;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Packaging;

/// <summary>
/// The Debian package, installed into a copy of this system that nobody else sees, and its service as systemd would run it: its user, capabilities, file system and
/// notification socket.
/// </summary>
[Collection(PackagingCollection.Name)]
public sealed class DebianPackageSpec(PublishedProgram published)
{
    private const string Kernel = "10.99.0.1";
    private const string Tapwire = "10.99.0.2";
    private const string Service = "Packaging/systemd/tapwire.service";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [SkippableFact]
    public async Task The_package_is_installed_runs_as_a_service_and_is_removed_without_a_trace()
    {
        using var network = NetworkNamespace.Create();
        foreach (var command in (string[])["dpkg-deb", "setpriv", "curl", "systemd-sysusers"])
            Skip.If(PublishedProgram.Run(command, "--version").ExitCode == 127, $"there is no '{command}'");
        Skip.If(network.TryExec("unshare", "-m", "sh", "-c", MountSystem, published.Directory).ExitCode != 0, "no overlay of this system can be mounted");
        var unit = UnitFile.Read(Path.Combine(PublishedProgram.Tree, Service));
        var package = Build();
        var missing = network.TryExec("unshare", "-m", "sh", "-c", $"{MountSystem}\ncp {package} $root/tapwire.deb; chroot $root dpkg --dry-run --install /tapwire.deb", published.Directory);
        Skip.If(missing.ExitCode != 0, $"the package is not for this system: {missing.Error}");

        using var notifications = network.Run(static () => new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified));
        var name = $"tapwire-notify-{Guid.NewGuid():N}";
        notifications.Bind(new UnixDomainSocketEndPoint("\0" + name));

        using var system = network.Start("unshare", "-m", "sh", "-ec", $"""
            {MountSystem}
            cp {package} $root/tapwire.deb
            chroot $root dpkg --install /tapwire.deb >$0/dpkg.log 2>&1
            {Launch(unit, name)} &
            service=$!
            echo started
            while read -r line; do
                if [ "$line" = stop ]; then break; fi
                chroot $root sh -c "$line" 2>&1 || echo "code $?"
                echo done
            done
            kill -TERM $service
            code=0; wait $service || code=$?
            echo "service $code"
            chroot $root dpkg --purge tapwire >>$0/dpkg.log 2>&1
            find $root/etc/tapwire $root/usr/lib/tapwire $root/usr/bin/tapwire $root/var/cache/tapwire 2>/dev/null || true
            echo end
            """, published.Directory);
        var lines = system.StandardOutput;
        if (await lines.ReadLineAsync().WaitAsync(Patience) != "started")
            Assert.Fail(await system.StandardError.ReadToEndAsync() + File.ReadAllText(Path.Combine(published.Directory, "dpkg.log")));

        await ReceiveAsync(notifications, "READY=1", system);
        Assert.Contains("tapwire", network.Exec("curl", "-sS", "--max-time", "20", $"http://{Tapwire}/"), StringComparison.Ordinal);

        // Root finds it without being told where, and programs run on it.
        Assert.Contains("tw0 up", await AskAsync("tapwire status --link /run/tapwire/link.sock"), StringComparison.Ordinal);
        using var server = network.OpenSocket();
        server.Bind(new IPEndPoint(IPAddress.Parse(Kernel), 8080));
        server.Listen();
        var answered = AnswerAsync(server);
        Assert.Contains("from the kernel", await AskAsync($"tapwire run --link /run/tapwire/link.sock -- curl -sS --max-time 20 http://{Kernel}:8080/"), StringComparison.Ordinal);
        Assert.Equal(Tapwire, await answered.WaitAsync(Patience));

        await system.StandardInput.WriteLineAsync("stop");
        await ReceiveAsync(notifications, "STOPPING=1", system);
        var rest = await lines.ReadToEndAsync().WaitAsync(Patience);
        Assert.Equal("service 0\nend\n", rest[rest.IndexOf("service", StringComparison.Ordinal)..]);

        async Task<string> AskAsync(string command)
        {
            await system.StandardInput.WriteLineAsync(command);
            var answer = new StringBuilder();
            while (await lines.ReadLineAsync().WaitAsync(Patience) is { } line && line != "done")
                answer.AppendLine(line);
            return answer.ToString();
        }
    }

    [SkippableFact]
    public void The_unit_is_what_systemd_understands_and_little_is_exposed()
    {
        Skip.If(PublishedProgram.Run("systemd-analyze", "--version").ExitCode != 0, "there is no 'systemd-analyze'");
        // It looks for the program where the unit says it is.
        var directory = Directory.CreateDirectory(Path.Combine(published.Directory, "units")).FullName;
        foreach (var name in (string[])["tapwire.service", "tapwire.socket"])
        {
            var text = File.ReadLines(Path.Combine(PublishedProgram.Tree, "Packaging/systemd", name)).Where(static line => !line.StartsWith("Documentation=", StringComparison.Ordinal))
                .Select(static line => line.Replace("/usr/bin/tapwire", "/bin/true", StringComparison.Ordinal));
            File.WriteAllLines(Path.Combine(directory, name), text);
        }

        var service = Path.Combine(directory, "tapwire.service");
        var verified = PublishedProgram.Run("systemd-analyze", "verify", service, Path.Combine(directory, "tapwire.socket"));
        Assert.Equal((0, ""), (verified.ExitCode, verified.Error));
        var judged = PublishedProgram.Run("systemd-analyze", "security", "--offline=yes", "--threshold=25", service);
        Assert.True(judged.ExitCode == 0, judged.Output + judged.Error);
    }

    /// <summary>
    /// This system with a layer above it that takes what is written: $root, within the directory that is the script's $0. The device has the mode that udev gives it.
    /// </summary>
    private const string MountSystem = """
        mount -t tmpfs tmpfs /mnt
        mkdir /mnt/upper /mnt/work /mnt/root
        mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
        root=/mnt/root
        mount -t proc proc $root/proc
        mount --rbind /dev $root/dev
        mount -t tmpfs tmpfs $root/dev/net
        mknod -m 666 $root/dev/net/tun c 10 200
        mount -t tmpfs -o mode=0755 tmpfs $root/run
        mount -t tmpfs tmpfs $root/tmp
        chmod 1777 $root/tmp
        """;

    /// <summary>The service as its unit describes it, in the background of the script.</summary>
    private static string Launch(UnitFile unit, string notify)
    {
        var capabilities = string.Concat(unit["AmbientCapabilities"].Split(' ').Select(static name => ",+" + name["CAP_".Length..].ToLowerInvariant()));
        var bounding = string.Concat(unit["CapabilityBoundingSet"].Split(' ').Select(static name => ",+" + name["CAP_".Length..].ToLowerInvariant()));
        Assert.Equal(("yes", "strict"), (unit["NoNewPrivileges"], unit["ProtectSystem"]));
        var runtime = $"/run/{unit["RuntimeDirectory"]}";
        return $"""
            mkdir -m {unit["RuntimeDirectoryMode"]} $root{runtime}
            chroot $root chown {unit["User"]}:{unit["Group"]} {runtime}
            unshare -m sh -ec '
                mount --bind $1{runtime} $1{runtime}
                mount -o remount,bind,ro $1
                mount -o remount,bind,ro $1/run
                umask {unit["UMask"]}
                ulimit -n {unit["LimitNOFILE"]} 2>/dev/null || true
                exec chroot $1 env -i PATH=/usr/sbin:/usr/bin NOTIFY_SOCKET=@{notify} {string.Join(' ', unit.All("Environment"))} \
                    setpriv --reuid {unit["User"]} --regid {unit["Group"]} --init-groups --inh-caps=-all{capabilities} --ambient-caps=-all{capabilities} \
                    --bounding-set=-all{bounding} --no-new-privs {unit["ExecStart"]}
            ' sh $root
            """;
    }

    private static async Task ReceiveAsync(Socket notifications, string expected, System.Diagnostics.Process system)
    {
        using var patience = new CancellationTokenSource(Patience);
        var bytes = new byte[4096];
        var seen = new StringBuilder();
        try
        {
            while (!seen.ToString().Split('\n').Contains(expected))
                seen.Append(Encoding.UTF8.GetString(bytes, 0, await notifications.ReceiveAsync(bytes, patience.Token))).Append('\n');
        }
        catch (OperationCanceledException)
        {
            system.Kill(entireProcessTree: true);
            Assert.Fail($"The service has not said {expected} but \"{seen}\":\n{await system.StandardOutput.ReadToEndAsync()}{await system.StandardError.ReadToEndAsync()}");
        }
    }

    /// <summary>Answers one HTTP request, and says from which address it came.</summary>
    private static async Task<string> AnswerAsync(Socket server)
    {
        using var connection = await server.AcceptAsync();
        await connection.ReceiveAsync(new byte[4096]);
        await connection.SendAsync("HTTP/1.0 200 OK\r\n\r\nfrom the kernel\n"u8.ToArray());
        connection.Shutdown(SocketShutdown.Send);
        return ((IPEndPoint)connection.RemoteEndPoint!).Address.ToString();
    }

    private string Build()
    {
        // Packing would take longer than all the rest.
        var built = PublishedProgram.Run("env", "DPKG_DEB_COMPRESSOR_TYPE=none", Path.Combine(PublishedProgram.Tree, "Packaging/build-deb"), "-p", published.SingleFile, "-o", published.Directory);
        Assert.True(built.ExitCode == 0, built.Error);
        return built.Output.Trim();
    }
}
