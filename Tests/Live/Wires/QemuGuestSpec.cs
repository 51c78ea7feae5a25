using System.Globalization;
using System.Text.Json;
using Tapwire.Posix;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Wires;

/// <summary>
/// A virtual machine (QEMU without KVM, a kernel of the distribution, busybox) boots onto a driver without privileges: it gets addresses of both families, and loads a page by name from beyond a WireGuard wire. The kernel is that of
/// the host, or one below TAPWIRE_GUEST_KERNEL (boot/vmlinuz-VERSION and lib/modules/VERSION, as in its package).
/// </summary>
[Collection(LiveCollection.Name)]
public sealed class QemuGuestSpec : IDisposable
{
    /// <summary>Of a machine whose processor is emulated, on a host with other work.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private static readonly string[] Modules = ["virtio", "virtio_ring", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "failover", "net_failover", "virtio_net"];

    private static readonly string[] Unprivileged = ["setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"];

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-vm-");
    private readonly NetworkNamespace _near = NetworkNamespace.Create();
    private readonly NetworkNamespace _far = NetworkNamespace.Create();

    public void Dispose()
    {
        _near.Dispose();
        _far.Dispose();
        _directory.Delete(recursive: true);
    }

    [SkippableFact]
    public async Task A_machine_boots_onto_a_driver_and_reaches_by_name_what_is_behind_WireGuard()
    {
        foreach (var program in (string[])["qemu-system-x86_64", "busybox", "wg", "gzip", "setpriv"])
            Skip.If(_near.TryExec("sh", "-c", $"command -v {program}").ExitCode != 0, $"there is no '{program}'");
        var kernel = MakeGuest();
        var (socket, link) = (PathOf("vm.sock"), PathOf("link.sock"));
        WriteNetwork();
        var far = TapwireProgram.Start(_far, "up", "--wire", $"wg:{PathOf("far.conf")}", "--serve", "http:80", "--link", "off");
        far.WaitForLine("tapwire is up");
        File.WriteAllText(PathOf("tapwire.hocon"), "tapwire.dns { search = [\"office.test\"], hosts { \"www.office.test\" = \"10.8.0.1\" } }");
        _near.Exec("chown", "65534", _directory.FullName, PathOf("near.conf"), PathOf("tapwire.hocon"));
        var driver = TapwireProgram.StartBy(_near, Unprivileged, "up", "--config", PathOf("tapwire.hocon"),
            "--wire", $"qemu:unix:{socket}", "--address", "10.0.2.2/24", "--address", "fd00:2::2/64", "--serve", "dhcp", "--wire", $"wg:{PathOf("near.conf")}", "--masquerade", "--link", link);
        driver.WaitForLine("tapwire is up");

        using var machine = _near.Start("qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-m", "192", "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
            "-kernel", kernel, "-initrd", PathOf("initrd.gz"), "-append", "console=ttyS0 quiet panic=-1 tsc=unstable mitigations=off no_timer_check",
            "-netdev", $"stream,id=net0,server=off,addr.type=unix,addr.path={socket}", "-device", "virtio-net-pci,netdev=net0");
        var reading = machine.StandardOutput.ReadToEndAsync();
        await machine.WaitForExitAsync().WaitAsync(Patience);
        var said = await reading;

        Assert.Matches(@"LEASE 10\.0\.2\.\d+/24 router 10\.0\.2\.2 dns 10\.0\.2\.2 mtu 1500 lease 3600 domain office\.test", said);
        Assert.Matches("ADDRESS6 fd00:2::[0-9a-f:]+/64", said);
        Assert.True(said.Contains("ROUTE6 default via fe80::", StringComparison.Ordinal), said);
        // By name, and by the short one: the page tells who has asked for it.
        Assert.True(said.Contains("PAGE you are      10.8.0.2:", StringComparison.Ordinal), said);
        Assert.True(said.Contains("SHORT you are      10.8.0.2:", StringComparison.Ordinal), said);
        Assert.True(said.Contains("PAGE6 you are      [fd08::2]:", StringComparison.Ordinal), said);

        using var status = JsonDocument.Parse(TapwireProgram.StartBy(_near, Unprivileged, "status", "--json", "--link", link).WaitForExit().Output);
        var served = status.RootElement.GetProperty("interfaces")[0].GetProperty("dhcpServer");
        Assert.Equal("guest", Assert.Single(served.GetProperty("leases").EnumerateArray()).GetProperty("name").GetString());
        Assert.False(status.RootElement.GetProperty("interfaces")[0].GetProperty("wire").GetProperty("up").GetBoolean());
        Assert.Equal(0, driver.Stop().ExitCode);
        Assert.False(File.Exists(socket));
        far.Stop();
    }

    private string PathOf(string name) => Path.Combine(_directory.FullName, name);

    /// <summary>Makes the machine's first file system: busybox, what its network card needs, and what it does.</summary>
    /// <returns>The kernel.</returns>
    private string MakeGuest()
    {
        var root = Environment.GetEnvironmentVariable("TAPWIRE_GUEST_KERNEL") is { Length: > 0 } given ? given : "/";
        var boot = Path.Combine(root, "boot");
        var kernel = (Directory.Exists(boot) ? Directory.GetFiles(boot, "vmlinuz-*") : []).Order(StringComparer.Ordinal)
            .LastOrDefault(each => Modules.All(module => FindModule(root, each, module) is not null));
        Skip.If(kernel is null, $"there is no kernel with virtio modules below {root}");
        var busybox = _near.Exec("sh", "-c", "command -v busybox").Trim();
        Skip.If(_near.TryExec("sh", "-c", $"ldd {busybox} 2>/dev/null | grep -q '=>'").ExitCode == 0, "busybox is not a static one");
        foreach (var directory in (string[])["bin", "proc", "sys", "dev", "etc", "mod"])
            _directory.CreateSubdirectory($"root/{directory}");
        File.Copy(busybox, PathOf("root/bin/busybox"));
        foreach (var module in Modules)
            Unpack(FindModule(root, kernel!, module)!, PathOf($"root/mod/{module}.ko"));
        // Without it a static C library looks for modules that are not there.
        File.WriteAllText(PathOf("root/etc/nsswitch.conf"), "hosts: dns files\n");
        File.WriteAllText(PathOf("root/init"), $$"""
            #!/bin/busybox sh
            /bin/busybox --install -s /bin
            export PATH=/bin
            mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
            # Which of them needs which, kernels have in different ways: what is refused is tried again behind the others.
            for pass in 1 2 3; do for m in {{string.Join(' ', Modules)}}; do insmod /mod/$m.ko 2>/dev/null; done; done
            ip link set lo up; ip link set eth0 up
            udhcpc -i eth0 -q -n -t 30 -T 2 -s /lease -x hostname:guest
            i=0; while [ $i -lt 200 ] && ! ip -6 addr show dev eth0 scope global | grep -q dynamic; do i=$((i+1)); sleep 0.1; done
            # The kernel looks whether another host has it.
            while ip -6 addr show dev eth0 scope global | grep -q tentative; do sleep 0.1; done
            echo "ADDRESS6 $(ip -6 -o addr show dev eth0 scope global | awk '{ print $4 }')"
            echo "ROUTE6 $(ip -6 route | grep default)"
            echo "PAGE $(timeout 30 wget -qO- http://www.office.test/ | grep you)"
            echo "SHORT $(timeout 30 wget -qO- http://www/ | grep you)"
            echo "PAGE6 $(timeout 30 wget -qO- 'http://[fd08::1]/' | grep you)"
            reboot -f
            """);
        File.WriteAllText(PathOf("root/lease"), """
            #!/bin/busybox sh
            [ "$1" = bound ] || exit 0
            ip addr add $ip/$mask dev $interface
            ip link set $interface mtu $mtu
            ip route add default via $router
            echo "search $domain" > /etc/resolv.conf
            for d in $dns; do echo "nameserver $d" >> /etc/resolv.conf; done
            echo "LEASE $ip/$mask router $router dns $dns mtu $mtu lease $lease domain $domain"
            """);
        _near.Exec("sh", "-c", $"cd {PathOf("root")} && chmod +x init lease && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 > {PathOf("initrd.gz")}");
        return kernel!;
    }

    private static string? FindModule(string root, string kernel, string name)
    {
        var modules = Path.Combine(root, "lib/modules", Path.GetFileName(kernel)["vmlinuz-".Length..], "kernel");
        return Directory.Exists(modules) ? Directory.EnumerateFiles(modules, $"{name}.ko*", SearchOption.AllDirectories).FirstOrDefault() : null;
    }

    /// <summary>Some distributions have modules compressed.</summary>
    private void Unpack(string from, string to)
    {
        if (from.EndsWith(".ko", StringComparison.Ordinal))
            File.Copy(from, to);
        else
            _near.Exec("sh", "-c", $"{(from.EndsWith(".xz", StringComparison.Ordinal) ? "xz" : "zstd")} -dc {from} > {to}");
    }

    /// <summary>A path between the namespaces, and the two ends of a WireGuard network over it.</summary>
    private void WriteNetwork()
    {
        _near.Ip($"link add eth0 type veth peer name eth0 netns {_far.Name}");
        foreach (var (network, host) in new[] { (_near, 1), (_far, 2) })
        {
            network.Ip(string.Create(CultureInfo.InvariantCulture, $"addr add 192.0.2.{host}/24 dev eth0"));
            network.Ip("link set eth0 up");
        }

        var (near, far) = (_near.Exec("wg", "genkey").Trim(), _near.Exec("wg", "genkey").Trim());
        WriteEnd("near.conf", near, PublicOf(far), "10.8.0.2/24, fd08::2/64", "AllowedIPs = 10.8.0.0/24, fd08::/64\nEndpoint = 192.0.2.2:51820", "");
        WriteEnd("far.conf", far, PublicOf(near), "10.8.0.1/24, fd08::1/64", "AllowedIPs = 10.8.0.2/32, fd08::2/128", "ListenPort = 51820");
    }

    private void WriteEnd(string name, string key, string peerKey, string addresses, string peer, string own)
    {
        File.WriteAllText(PathOf(name), $"[Interface]\nPrivateKey = {key}\nAddress = {addresses}\n{own}\n[Peer]\nPublicKey = {peerKey}\n{peer}\n");
        Libc.chmod(PathOf(name), 0x180);
    }

    private string PublicOf(string key) => _near.Exec("sh", "-c", $"echo {key} | wg pubkey").Trim();
}
