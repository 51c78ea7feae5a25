using System.Text.RegularExpressions;
using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Host;

/// <summary>What people get wrong, on the command line and in settings, each with the exit code and the words that the line about it has.</summary>
[Collection(HostCollection.Name)]
public sealed partial class WrongInputs : IDisposable
{
    private const int Usage = 2;

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-wrong-");

    public WrongInputs()
    {
        File.WriteAllText(TextFile, "hello\n");
        File.WriteAllText(Script, "#!/no/interpreter -x\n");
        Libc.chmod(Script, 0x140);
    }

    private string TextFile => Path.Combine(_directory.FullName, "text");

    private string Script => Path.Combine(_directory.FullName, "script");

    /// <summary>
    /// A command line, its exit code, and the words, with | between. What is in braces stands for what a line of this file cannot hold. A line that would
    /// start a driver, were it not wrong, has a log file that cannot be, which is looked at last.
    /// </summary>
    public static TheoryData<string, int, string> CommandLines { get; } = new()
    {
        { "foo", 2, "'foo' is no command|there are demo, up, run, ping, status, cable" },
        { "dmeo", 2, "did you mean 'demo'?" },
        { "stat", 2, "did you mean 'status'?" },
        { "UP", 2, "did you mean 'up'?" },
        { "pong", 2, "did you mean 'ping'?" },
        { "cabel", 2, "did you mean 'cable'?" },
        { "foo bar baz", 2, "'foo' is no command" },
        { "foo --help", 2, "'foo' is no command" },
        { "--bogus", 2, "'--bogus' is no option of 'tapwire'" },
        { "--versoin", 2, "did you mean '--version'?" },
        { "-x", 2, "'-x' is no option of 'tapwire'" },
        { "{empty}", 2, "'' is no command" },
        { "{escape}", 2, "\\u001B" },
        { "{long}", 2, "xxx...' is no command" },
        { "größe", 2, "'größe' is no command" },
        { "{bidi}", 2, "\\u202E" },
        { "@file", 2, "'@file' is no command" },
        { "demo@", 2, "did you mean 'demo'?" },
        { "0", 2, "'0' is no command" },
        { "up --adress 10.99.0.2/24", 2, "did you mean '--address'?" },
        { "up --adr=1", 2, "'--adr' is no option" },
        { "up --loss 1", 2, "'tapwire demo' and 'tapwire cable' have it" },
        { "status --watc", 2, "did you mean '--watch'?" },
        { "up --json", 2, "'tapwire status' and 'tapwire doctor' have it" },
        { "up --route 10.0.0.0/8", 2, "'tapwire run' has it" },
        { "status --size 5", 2, "'tapwire demo' and 'tapwire ping' have it" },
        { "ping 10.0.0.1 --jitter 1ms", 2, "'--jitter' is no option of 'tapwire ping'" },
        { "demo --wire tap:a", 2, "'tapwire up' and 'tapwire run' have it" },
        { "cable --address 10.0.0.1/24", 2, "'--address' is no option of 'tapwire cable'" },
        { "status -v", 2, "'-v' is no option of 'tapwire status'|it has --json, --watch, --timeout, --link" },
        { "up -{long}", 2, "is no option of 'tapwire up'" },
        { "demo --{escape}", 2, "\\u001B" },
        { "up --wire:tap:a --zzz", 2, "'--zzz' is no option" },
        { "ping -c4 -x 10.0.0.1", 2, "'-x' is no option of 'tapwire ping'" },
        { "run --bogus true", 2, "write -- before the program" },
        { "run --rout 10.0.0.0/8 true", 2, "did you mean '--route'?" },
        { "run -z -- true", 2, "'-z' is no option of 'tapwire run'" },
        { "up tap:tw0", 2, "'tap:tw0' is too much|takes options only" },
        { "status now", 2, "'now' is too much" },
        { "status --json maybe", 2, "'maybe' is too much" },
        { "status --json=maybe", 2, "'maybe' is too much" },
        { "demo 256MiB", 2, "'256MiB' is too much" },
        { "ping 10.0.0.1 10.0.0.2", 2, "'10.0.0.2' is too much|takes one HOST" },
        { "cable --a tap:x --b tap:y z", 2, "'z' is too much" },
        { "up @settings", 2, "'@settings' is too much" },
        { "demo {escape}", 2, "\\u001B" },
        { "ping", 2, "HOST is missing|give the IPv4 address to ping" },
        { "run", 2, "PROGRAM is missing" },
        { "run --", 2, "PROGRAM is missing" },
        { "cable --a tap:x", 2, "--b is missing|tap:NAME or tun:NAME" },
        { "cable --b tap:x", 2, "--a is missing" },
        { "up --wire", 2, "--wire has no value|tap:NAME or tun:NAME" },
        { "up --wire {empty}", 2, "--wire is \"\"|tap:NAME or tun:NAME" },
        { "up --address", 2, "--address has no value|ADDRESS/LENGTH, as in 10.99.0.2/24" },
        { "up --address {empty}", 2, "--address is \"\"|ADDRESS/LENGTH, as in 10.99.0.2/24" },
        { "up --gateway", 2, "--gateway has no value|an IPv4 address" },
        { "up --gateway {empty}", 2, "--gateway is \"\"|an IPv4 address" },
        { "up --mac", 2, "--mac has no value|a unicast address" },
        { "up --mac {empty}", 2, "--mac is \"\"|a unicast address" },
        { "up --mtu", 2, "--mtu has no value|a number from 68 to 65521" },
        { "up --mtu {empty}", 2, "--mtu is \"\"|a number from 68 to 65521" },
        { "up --shards", 2, "--shards has no value|a number from 1 to 64" },
        { "up --shards {empty}", 2, "--shards is \"\"|a number from 1 to 64" },
        { "up --link", 2, "--link has no value|a path of 1 to 107 bytes" },
        { "up --link {empty}", 2, "--link is \"\"|a path of 1 to 107 bytes" },
        { "up --config", 2, "--config has no value|the name of a file" },
        { "up --config {empty}", 2, "--config is \"\"|the name of a file" },
        { "up --log-level", 2, "--log-level has no value|debug, info, warning, error or off" },
        { "up --log-level {empty}", 2, "--log-level is \"\"|debug, info, warning, error or off" },
        { "up --log-file", 2, "--log-file has no value|the name of a file" },
        { "up --log-file {empty}", 2, "--log-file is \"\"|the name of a file" },
        { "up --serve", 2, "--serve has no value|echo, discard, source, http" },
        { "up --serve {empty}", 2, "--serve is \"\"|echo, discard, source, http" },
        { "up --socks", 2, "--socks has no value|as in 127.0.0.1:1080" },
        { "up --socks {empty}", 2, "--socks is \"\"|as in 127.0.0.1:1080" },
        { "up --forward", 2, "--forward has no value|as in tcp:127.0.0.1:8080=10.99.0.1:80" },
        { "up --forward {empty}", 2, "--forward is \"\"|as in tcp:127.0.0.1:8080=10.99.0.1:80" },
        { "up --expose", 2, "--expose has no value|as in tcp:80=127.0.0.1:8080" },
        { "up --expose {empty}", 2, "--expose is \"\"|as in tcp:80=127.0.0.1:8080" },
        { "up --wire --mtu 1400", 2, "--wire has no value" },
        { "up --config --mtu", 2, "--config has no value" },
        { "demo --size", 2, "--size has no value" },
        { "ping 10.0.0.1 -c", 2, "--count has no value" },
        { "status --link", 2, "--link has no value" },
        { "up --wire tap:a --wire tap:b", 2, "--wire is given 2 times|give it once" },
        { "up --gateway 10.0.0.1 --gateway 10.0.0.2", 2, "--gateway is given 2 times|give it once" },
        { "up --mtu 1400 --mtu 1500", 2, "--mtu is given 2 times|give it once" },
        { "up --config a --config b", 2, "--config is given 2 times|give it once" },
        { "demo --size 1 --size 2", 2, "--size is given 2 times|give it once" },
        { "ping 10.0.0.1 -c 1 --count 2", 2, "--count is given 2 times|give it once" },
        { "cable --a tap:x --a tap:y --b tap:z", 2, "--a is given 2 times|give it once" },
        { "status --link a --link b", 2, "--link is given 2 times|give it once" },
        { "up --log-level info --log-level debug", 2, "--log-level is given 2 times|give it once" },
        { "up --mtu 0", 2, "--mtu is|a number from 68 to 65521" },
        { "up --mtu 67", 2, "--mtu is|a number from 68 to 65521" },
        { "up --mtu 65522", 2, "--mtu is|a number from 68 to 65521" },
        { "up --mtu 65535", 2, "--mtu is|a number from 68 to 65521" },
        { "up --mtu -1", 2, "--mtu is|a number from 68 to 65521" },
        { "up --mtu 1e3", 2, "--mtu is|a number from 68 to 65521" },
        { "up --mtu 1.5", 2, "--mtu is|a number from 68 to 65521" },
        { "up --mtu 0x100", 2, "--mtu is|a number from 68 to 65521" },
        { "up --mtu 99999999999", 2, "--mtu is|a number from 68 to 65521" },
        { "up --mtu viele", 2, "--mtu is|a number from 68 to 65521" },
        { "up --shards 0", 2, "--shards is|a number from 1 to 64" },
        { "up --shards 65", 2, "--shards is|a number from 1 to 64" },
        { "up --shards -1", 2, "--shards is|a number from 1 to 64" },
        { "up --shards all", 2, "--shards is|a number from 1 to 64" },
        { "demo --size 0", 2, "--size is|a size from 1 B to 1 TiB, as in 64KiB" },
        { "demo --size -5", 2, "--size is|a size from 1 B to 1 TiB, as in 64KiB" },
        { "demo --size 5TB5", 2, "--size is|a size from 1 B to 1 TiB, as in 64KiB" },
        { "demo --size 1,5MiB", 2, "--size is|a size from 1 B to 1 TiB, as in 64KiB" },
        { "demo --size 5_GiB", 2, "--size is|a size from 1 B to 1 TiB, as in 64KiB" },
        { "demo --size 2TiB", 2, "--size is|a size from 1 B to 1 TiB, as in 64KiB" },
        { "demo --size 64kibi", 2, "--size is|a size from 1 B to 1 TiB, as in 64KiB" },
        { "demo --size {long}", 2, "--size is|a size from 1 B to 1 TiB, as in 64KiB" },
        { "demo --size ٣KiB", 2, "--size is|a size from 1 B to 1 TiB, as in 64KiB" },
        { "demo --latency 5", 2, "--latency is|a time from 0 to 1m, as in 20ms" },
        { "demo --latency -1ms", 2, "--latency is|a time from 0 to 1m, as in 20ms" },
        { "demo --latency 2m", 2, "--latency is|a time from 0 to 1m, as in 20ms" },
        { "demo --latency 1,5s", 2, "--latency is|a time from 0 to 1m, as in 20ms" },
        { "demo --latency infinite", 2, "--latency is|a time from 0 to 1m, as in 20ms" },
        { "demo --latency soon", 2, "--latency is|a time from 0 to 1m, as in 20ms" },
        { "demo --loss -0.1", 2, "--loss is|from 0 to 1, as in 0.01" },
        { "demo --loss 1.1", 2, "--loss is|from 0 to 1, as in 0.01" },
        { "demo --loss 50%", 2, "--loss is|from 0 to 1, as in 0.01" },
        { "demo --loss NaN", 2, "--loss is|from 0 to 1, as in 0.01" },
        { "demo --loss 1e-3", 2, "--loss is|from 0 to 1, as in 0.01" },
        { "demo --loss half", 2, "--loss is|from 0 to 1, as in 0.01" },
        { "demo --bandwidth 5", 2, "--bandwidth is|a rate from 1k to 1000G" },
        { "demo --bandwidth 10mbps", 2, "--bandwidth is|a rate from 1k to 1000G" },
        { "demo --bandwidth 1e9", 2, "--bandwidth is|a rate from 1k to 1000G" },
        { "demo --bandwidth 0", 2, "--bandwidth is|a rate from 1k to 1000G" },
        { "demo --bandwidth 2000G", 2, "--bandwidth is|a rate from 1k to 1000G" },
        { "demo --seed 18446744073709551616", 2, "--seed is|a number from 0 to 18446744073709551615" },
        { "demo --seed 0x1", 2, "--seed is|a number from 0 to 18446744073709551615" },
        { "demo --seed -1", 2, "--seed is|a number from 0 to 18446744073709551615" },
        { "demo --connections 10001", 2, "a number from 1 to 10000" },
        { "demo --loss 1", 2, "With --loss 1 nothing can ever arrive|less than 1" },
        { "demo --corrupt 1", 2, "With --corrupt 1 nothing" },
        { "ping 10.0.0.1 --count 65536", 2, "a number from 1 to 65535" },
        { "ping 10.0.0.1 --size 65508", 2, "a number from 0 to 65507" },
        { "ping 10.0.0.1 --interval 0", 2, "a time from 1ms to 1h" },
        { "ping 10.0.0.1 --timeout 2m", 2, "a time from 1ms to 1m" },
        { "ping nobody", 2, "HOST is|IPv4 address" },
        { "ping fd00::1", 2, "HOST is|IPv4 address" },
        { "ping 10.0.0", 2, "HOST is|IPv4 address" },
        { "ping 10.0.0.256", 2, "HOST is|IPv4 address" },
        { "ping 010.1.1.1", 2, "HOST is|IPv4 address" },
        { "ping {empty}", 2, "HOST is|IPv4 address" },
        { "ping fd00::1", 2, "the stack has no IPv6" },
        { "up --log-level loud", 2, "--log-level is|debug, info, warning, error or off" },
        { "up --log-level 3", 2, "--log-level is|debug, info, warning, error or off" },
        { "up --log-level info,debug", 2, "--log-level is|debug, info, warning, error or off" },
        { "up --log-level Informational", 2, "--log-level is|debug, info, warning, error or off" },
        { "cable --a tap:x --b tap:y --log-level loud", 2, "debug, info, warning, error or off" },
        { "up --wire eth0", 2, "--wire is|tap:NAME or tun:NAME" },
        { "up --wire tap:", 2, "--wire is|tap:NAME or tun:NAME" },
        { "up --wire tap:sixteen-bytes-xx", 2, "--wire is|tap:NAME or tun:NAME" },
        { "up --wire tap:a/b", 2, "--wire is|tap:NAME or tun:NAME" },
        { "up --wire tap:..", 2, "--wire is|tap:NAME or tun:NAME" },
        { "up --wire tap:a%b", 2, "--wire is|tap:NAME or tun:NAME" },
        { "up --wire TAP:a", 2, "--wire is|tap:NAME or tun:NAME" },
        { "up --wire veth:x", 2, "--wire is|tap:NAME or tun:NAME" },
        { "up --wire tap:größengrößen", 2, "--wire is|tap:NAME or tun:NAME" },
        { "up --wire tap:{escape}", 2, "--wire is|tap:NAME or tun:NAME" },
        { "up --address 10.99.0.0/24", 2, "--address is|is the address of the network itself|as in 10.99.0.2/24" },
        { "up --address 10.99.0.255/24", 2, "--address is|is the broadcast address of its network" },
        { "up --address 127.0.0.1/8", 2, "--address is|is a loopback address" },
        { "up --address 0.0.0.0/24", 2, "--address is|stands for no address" },
        { "up --address 224.0.0.5/24", 2, "--address is|is a multicast address" },
        { "up --address 255.255.255.255/32", 2, "--address is|is the broadcast address, which is everybody's" },
        { "up --address fd00::1/64", 2, "--address is|the stack has IPv4 only" },
        { "up --address 10.99.0.2", 2, "--address is|the length of the prefix is missing" },
        { "up --address 10.99.0.2/33", 2, "--address is|ADDRESS/LENGTH" },
        { "up --address 10.99.0/24", 2, "--address is|ADDRESS/LENGTH" },
        { "up --address router/24", 2, "--address is|ADDRESS/LENGTH" },
        { "up --address 10.99.0.2/24,", 2, "--address is|ADDRESS/LENGTH" },
        { "up --address 10.99.0.2/-1", 2, "--address is|ADDRESS/LENGTH" },
        { "up --gateway 0.0.0.0", 2, "--gateway is|stands for no address" },
        { "up --gateway 127.0.0.1", 2, "--gateway is|is a loopback address" },
        { "up --gateway 224.0.0.1", 2, "--gateway is|is a multicast address" },
        { "up --gateway 255.255.255.255", 2, "--gateway is|is the broadcast address" },
        { "up --gateway fd00::1", 2, "--gateway is|the stack has IPv4 only" },
        { "up --gateway 10.99.0.1/24", 2, "--gateway is|an IPv4 address" },
        { "up --gateway router", 2, "--gateway is|an IPv4 address" },
        { "up --address 10.99.0.2/24 --gateway 10.99.0.2 --log-file {directory}", 2, "is the stack's own address|name the router's" },
        { "up --address 10.99.0.2/24 --gateway 10.98.0.1 --log-file {directory}", 2, "is on no network of the stack's addresses, 10.99.0.2/24" },
        { "up --address 10.99.0.2/24 --gateway 10.99.0.255 --log-file {directory}", 2, "is the broadcast address of 10.99.0.0/24" },
        { "up --address 10.99.0.2/24 --gateway 10.99.0.0 --log-file {directory}", 2, "is the network address of 10.99.0.0/24" },
        { "up --address 10.99.0.2/24,10.99.0.2/16 --log-file {directory}", 2, "is there twice|give it once" },
        { "up --mac 01:00:5e:00:00:01", 2, "--mac is|a unicast address" },
        { "up --mac 00:00:00:00:00:00", 2, "--mac is|a unicast address" },
        { "up --mac 02:00:00", 2, "--mac is|a unicast address" },
        { "up --mac zz:zz:zz:zz:zz:zz", 2, "--mac is|a unicast address" },
        { "up --serve telnet:23", 2, "--serve is|echo, discard, source, http" },
        { "up --serve echo", 2, "--serve is|echo, discard, source, http" },
        { "up --serve echo:0", 2, "--serve is|echo, discard, source, http" },
        { "up --serve echo:70000", 2, "--serve is|echo, discard, source, http" },
        { "up --serve http:80,", 2, "--serve is|echo, discard, source, http" },
        { "up --serve ECHO:7", 2, "--serve is|echo, discard, source, http" },
        { "up --address 10.0.0.2/24 --serve echo:7,http:7 --log-file {directory}", 2, "Two services on port 7|a port of its own" },
        { "up --socks here:1080", 2, "--socks is|must be an IP address" },
        { "up --socks 127.0.0.1:0", 2, "--socks is|from 1 to 65535" },
        { "up --socks ::1:1080", 2, "--socks is|in brackets" },
        { "up --address 10.0.0.2/24 --socks 0.0.0.0:1080 --log-file {directory}", 2, "other machines can reach|tapwire.socks.allow-remote = on" },
        { "up --forward sctp:80=a:80", 2, "--forward is|must be tcp or udp" },
        { "up --expose sctp:80=a:80", 2, "--expose is|must be tcp or udp" },
        { "up --forward tcp:80", 2, "--forward is|one \"=\"" },
        { "up --expose tcp:80", 2, "--expose is|one \"=\"" },
        { "up --forward tcp:99999=a:80", 2, "--forward is|from 1 to 65535" },
        { "up --expose tcp:99999=a:80", 2, "--expose is|from 1 to 65535" },
        { "up --forward tcp:80=a", 2, "--forward is|must be HOST:PORT" },
        { "up --expose tcp:80=a", 2, "--expose is|must be HOST:PORT" },
        { "up --forward tcp:name:80=a:80", 2, "--forward is|must be an IP address" },
        { "up --expose tcp:name:80=a:80", 2, "--expose is|must be an IP address" },
        { "up --forward tcp:{long}=a:80", 2, "--forward is|must be from 1 to 65535" },
        { "up --expose tcp:{long}=a:80", 2, "--expose is|must be from 1 to 65535" },
        { "up --address 10.0.0.2/24 --forward tcp:8080=a:80,tcp:8080=b:80 --log-file {directory}", 2, "are one port of the host" },
        { "up --address 10.0.0.2/24 --expose tcp:80=a:80,tcp:80=b:80 --log-file {directory}", 2, "are one port of the stack" },
        { "up --address 10.0.0.2/24 --expose tcp:10.0.0.9:80=a:80 --log-file {directory}", 2, "is on no address of the stack" },
        { "up --address 10.0.0.2/24 --expose tcp:[fd00::1]:80=a:80 --log-file {directory}", 2, "the stack has IPv4 only" },
        { "up --address 10.0.0.2/24 --forward tcp:80=[fd00::1]:80 --log-file {directory}", 2, "the stack has IPv4 only" },
        { "up --address 10.0.0.2/24 --serve echo:7 --expose tcp:7=a:7 --log-file {directory}", 2, "have the same port" },
        { "up --log-file {directory}", 2, "The stack has no address|--address 10.99.0.2/24" },
        { "up --address 10.0.0.2/24 --log-file {directory}", 2, "cannot be written: Is a directory|name a file in it" },
        { "up --address 10.0.0.2/24 --log-file {directory}/no/log", 2, "cannot be written: No such file or directory|make its directory first" },
        { "up --address 10.0.0.2/24 --log-file /proc/no", 2, "cannot be written" },
        { "up --address 10.0.0.2/24 --log-file {long}{long}{long}{long}{long}", 2, "File name too long" },
        { "up --config {directory}", 2, "cannot be read: Is a directory" },
        { "up --config {directory}/no.conf", 2, "cannot be read: No such file or directory" },
        { "up --config {long}{long}{long}{long}{long}", 2, "cannot be read: File name too long" },
        { "up --config /dev/zero", 2, "is larger than 1 MiB" },
        { "up --config /bin/true", 2, "is no part of a text" },
        { "up --link {long}", 2, "--link is|a path of 1 to 107 bytes" },
        { "status --link {long}", 2, "--link is|a path of 1 to 107 bytes" },
        { "ping 10.0.0.1 --link {long}", 2, "--link is|a path of 1 to 107 bytes" },
        { "run --link {long} -- true", 2, "--link is|a path of 1 to 107 bytes" },
        { "status --link {directory}/no.sock", 1, "No driver answers at|tapwire up" },
        { "ping 10.0.0.1 --link {directory}/no.sock", 1, "No driver answers at" },
        { "run --link {directory}/no.sock -- true", 1, "No driver answers at" },
        { "run -- no-such-program", 127, "cannot be run: there is no such program in PATH" },
        { "run -- {directory}/no", 127, "cannot be run: No such file or directory" },
        { "run -- {directory}", 126, "cannot be run: Is a directory" },
        { "run -- {text}", 126, "cannot be run: Permission denied|chmod +x" },
        { "run -- {text}/x", 127, "cannot be run: Not a directory" },
        { "run -- {script}", 126, "names the interpreter '/no/interpreter', which is not there" },
        { "run -- {empty}", 127, "The program has no name" },
        { "run --wire tap:zz -- no-such-program", 127, "cannot be run: there is no such program in PATH" },
        { "run --wire tap:zz -- {directory}/no", 127, "cannot be run: No such file or directory" },
        { "run --wire tap:zz -- {directory}", 126, "cannot be run: Is a directory" },
        { "run --wire tap:zz -- {text}", 126, "cannot be run: Permission denied|chmod +x" },
        { "run --wire tap:zz -- {text}/x", 127, "cannot be run: Not a directory" },
        { "run --wire tap:zz -- {script}", 126, "names the interpreter '/no/interpreter', which is not there" },
        { "run --wire tap:zz -- {empty}", 127, "The program has no name" },
        { "run -- {long}{long}", 127, "cannot be run: there is no such program" },
        { "run --mtu 1400 -- true", 2, "--mtu is for a driver of the program's own" },
        { "run --log-file x -- true", 2, "--log-file is for a driver" },
        { "run --gateway 10.0.0.1 -- true", 2, "--gateway is for a driver" },
        { "run --link x --wire tap:y -- true", 2, "give one or the other" },
        { "run --route 10.0.0.0 -- true", 2, "--route is|ADDRESS/LENGTH" },
        { "run --route x,10.0.0.0/8 -- true", 2, "--route is" },
        { "cable --a tap:x --b tun:y", 2, "do not go together" },
        { "cable --a tap:x --b tap:x", 2, "are the same device" },
        { "cable --a eth0 --b tap:y", 2, "--a is|tap:NAME" },
        { "cable --a tap:x --b tap:y --loss 101%", 2, "a share from 0 to 1" },
        { "cable --a tap:x --b tap:y --loss a-b:", 2, "a share from 0 to 1" },
        { "cable --a tap:x --b tap:y --loss c-d:0.1", 2, "a share from 0 to 1" },
        { "cable --a tap:x --b tap:y --latency 2h", 2, "a time from 0 to 1h" },
        { "cable --a tap:x --b tap:y --latency 1ms --jitter 2ms", 2, "is more than the latency" },
        { "cable --a tap:x --b tap:y --queue 10", 2, "without --bandwidth nothing waits" },
        { "cable --a tap:x --b tap:y --queue 0", 2, "frames from 1" },
        { "cable --a tap:x --b tap:y --loss-burst 0", 2, "a number from 1 to 1000000" },
        { "cable --a tap:x --b tap:y --loss 0.9 --loss-burst 2", 2, "does not come in bursts" },
        { "cable --a tap:x --b tap:y --reorder-delay 0", 2, "lets nothing overtake" },
        { "cable --a tap:x --b tap:y --duration 0", 2, "a time from 1ms to 480h" },
        { "cable --a tap:x --b tap:y --interval 1ms", 2, "a time from 10ms to 480h" },
        { "cable --a tap:x --b tap:y --mtu 65522", 2, "a number from 68 to 65521" },
        { "cable --a tap:x --b tap:y --bandwidth 1", 2, "a rate from 1k" },
        { "cable --a tap:x --b tap:y --duplicate 2", 2, "a share from 0 to 1" },
        { "cable --a tap:x --b tap:y --corrupt x", 2, "a share from 0 to 1" },
        { "cable --a tap:x --b tap:y --config {directory}", 2, "Is a directory" },
    };

    /// <summary>Settings, and the words.</summary>
    public static TheoryData<string, string> Settings { get; } = new()
    {
        { "tapwire.mtu = 67", "line 1: tapwire.mtu is|0 or 68..65521" },
        { "tapwire.mtu = 70000", "line 1: tapwire.mtu is|from 0 to 65521" },
        { "tapwire.mtu = many", "line 1: tapwire.mtu is|a number" },
        { "tapwire.mtu = [1]", "line 1: tapwire.mtu is|one value" },
        { "tapwire.shards = 0", "line 1: tapwire.shards is|from 1 to 64" },
        { "tapwire.shutdown-timeout = 2", "line 1: tapwire.shutdown-timeout is|a time from 0 to 5m" },
        { "tapwire.shutdown-timeout = 1h", "line 1: tapwire.shutdown-timeout is|a time from 0 to 5m" },
        { "tapwire.wire = eth0", "line 1: tapwire.wire is|tap:NAME or tun:NAME" },
        { "tapwire.wire = \"\"", "line 1: tapwire.wire is|tap:NAME or tun:NAME" },
        { "tapwire.addresses = 10.0.0.1/24", "line 1: tapwire.addresses is|a list of ADDRESS/LENGTH" },
        { "tapwire.addresses = [10.0.0.0/24]", "line 1: tapwire.addresses is|is the address of the network itself" },
        { "tapwire.addresses = [\"10.0.0.255/24\"]", "line 1: tapwire.addresses is|is the broadcast address" },
        { "tapwire.addresses = [\"127.0.0.1/8\"]", "line 1: tapwire.addresses is|is a loopback address" },
        { "tapwire.addresses = [\"fd00::1/64\"]", "line 1: tapwire.addresses is|the stack has IPv4 only" },
        { "tapwire.addresses = [{ a = 1 }]", "line 1: tapwire.addresses is|ADDRESS/LENGTH" },
        { "tapwire.gateway = router", "line 1: tapwire.gateway is|an IPv4 address or empty" },
        { "tapwire.gateway = \"fd00::1\"", "line 1: tapwire.gateway is|the stack has IPv4 only" },
        { "tapwire.mac = \"01:00:00:00:00:00\"", "line 1: tapwire.mac is|a unicast address" },
        { "tapwire.serve = [\"telnet:23\"]", "line 1: tapwire.serve is|echo, discard, source, http" },
        { "tapwire.serve-backlog = 0", "line 1: tapwire.serve-backlog is|from 1 to 65535" },
        { "tapwire.forward = [x]", "line 1: tapwire.forward is|must be tcp or udp" },
        { "tapwire.expose = [\"tcp:80=a\"]", "line 1: tapwire.expose is|must be HOST:PORT" },
        { "tapwire.dispatcher.type = \"X, Y\"", "line 1: tapwire.dispatcher.type is|ReactorDispatcherConfigurator" },
        { "tapwire.dispatcher.throughput = 0", "line 1: tapwire.dispatcher.throughput is|a number from 1" },
        { "tapwire.dispatcher.spin = 1s", "line 1: tapwire.dispatcher.spin is|a time from 0 to 1ms" },
        { "tapwire.tap.offload = maybe", "line 1: tapwire.tap.offload is|on or off" },
        { "tapwire.tap.read-batch = 1025", "line 1: tapwire.tap.read-batch is|from 1 to 1024" },
        { "tapwire.tap.reopen-maximum = 1ms", "line 1: tapwire.tap.reopen-maximum is|a time from 100ms" },
        { "tapwire.stack.hop-limit = 256", "line 1: tapwire.stack.hop-limit is|from 1 to 255" },
        { "tapwire.stack.queue-bytes = 1", "line 1: tapwire.stack.queue-bytes is|a size from 64 KiB" },
        { "tapwire.stack.maximum-tick = 0", "line 1: tapwire.stack.maximum-tick is|or infinite" },
        { "tapwire.neighbor.probes = -1", "line 1: tapwire.neighbor.probes is|from 1 to 20" },
        { "tapwire.icmp.errors-per-second = lots", "line 1: tapwire.icmp.errors-per-second is|a number" },
        { "tapwire.udp.sockets = 0", "line 1: tapwire.udp.sockets is|a number from 1" },
        { "tapwire.tcp.memory = 1MiB", "line 1: tapwire.tcp.memory is|auto, or a size from 4 MiB" },
        { "tapwire.tcp.receive-buffer = 1", "line 1: tapwire.tcp.receive-buffer is|a size from 128 KiB" },
        { "tapwire.tcp.ecn = maybe", "line 1: tapwire.tcp.ecn is|one of off, passive, on" },
        { "tapwire.tcp.congestion-control = vegas", "line 1: tapwire.tcp.congestion-control is|one of" },
        { "tapwire.tcp.max-rto = 1ms", "line 1: tapwire.tcp.max-rto is|tcp.initial-rto" },
        { "tapwire.tcp.delayed-ack = 1s", "line 1: tapwire.tcp.delayed-ack is|a time from 0 to 499ms" },
        { "tapwire.tcp.retries = 1000", "line 1: tapwire.tcp.retries is|from 1 to 127" },
        { "tapwire.link.max-sockets = 0", "line 1: tapwire.link.max-sockets is|a number from 1" },
        { "tapwire.link.users = root", "line 1: tapwire.link.users is|a list of names or numbers" },
        { "tapwire.socks.listen = [here]", "line 1: tapwire.socks.listen is|from 1 to 65535" },
        { "tapwire.socks.user = \"a:b\"", "line 1: tapwire.socks.user is|without a colon" },
        { "tapwire.socks.allow-remote = 1", "line 1: tapwire.socks.allow-remote is|on or off" },
        { "tapwire.socks.destinations = [\"fd00::/8\"]", "line 1: tapwire.socks.destinations is|the stack has IPv4 only" },
        { "tapwire.proxy.flow-idle = 2d", "line 1: tapwire.proxy.flow-idle is|a time from 1ms" },
        { "tapwire.mtu = größer", "line 1: tapwire.mtu is|\"größer\"" },
        { "tapwire.wire = \"{long}\"", "line 1: tapwire.wire is|xxx..." },
        { "tapwire.mut = 5", "line 1: tapwire.mut is not a setting|Did you mean tapwire.mtu?" },
        { "tapwire.tcp.retires = 5", "Did you mean tapwire.tcp.retries?" },
        { "tapwier.mtu = 5", "Did you mean tapwire?" },
        { "tapwire { tcp { bogus-key-of-mine = 5 } }", "tapwire.tcp.bogus-key-of-mine is not a setting" },
        { "akka.logleve = INFO", "Did you mean akka.loglevel?" },
        { "tapwire.tcp = 5", "is a section and has no value of its own" },
        { "tapwire.mtu { a = 1 }", "is no section" },
        { "akka.loglevel = LOUD", "one of OFF, ERROR, WARNING, INFO, DEBUG" },
        { "akka.stdout-loglevel = 5", "one of OFF" },
        { "tapwire {", "to close the section" },
        { "tapwire.addresses = [", "to close the list" },
        { "tapwire } {", "expected '=', ':' or '{'" },
        { "[1]", "settings are no list" },
        { "tapwire.wire = \"a", "to close the text" },
        { "tapwire.mtu 5", "expected '=', ':' or '{'" },
        { "tapwire.mtu =", "expected a value" },
        { "include \"x\"", "cannot include other files" },
        { "a = ${b}", "names a key that is not in this text" },
        { "tapwire.serve += x", "'+=' is not understood" },
        { "{control}", "the character U+0001" },
        { "tapwire.wire = \"\\q\"", "expected one of" },
        { "tapwire.addresses = [\"10.0.0.2/24\"]\ntapwire.gateway = \"10.9.0.1\"", "is on no network of the stack's addresses" },
        { "tapwire.addresses = [\"10.0.0.2/24\"]\ntapwire.socks.user = me", "without tapwire.socks.password" },
        { "tapwire.mtu = 1400", "The stack has no address" },
        { "", "The stack has no address" },
    };

    public void Dispose() => _directory.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(CommandLines))]
    public async Task A_wrong_command_line_has_one_line_that_says_what_is_wrong_and_what_to_do(string line, int code, string words)
    {
        var run = await CommandLineRun.OfAsync([.. line.Split(' ').Select(Filled)]);
        AssertOneLine(run, code, words);
    }

    [Theory]
    [MemberData(nameof(Settings))]
    public async Task A_wrong_setting_has_one_line_that_says_what_is_wrong_and_what_to_do(string text, string words)
    {
        var file = Path.Combine(_directory.FullName, "own.conf");
        await File.WriteAllTextAsync(file, Filled(text));
        var run = await CommandLineRun.OfAsync("up", "--config", file, "--log-file", _directory.FullName);
        AssertOneLine(run, Usage, words);
    }

    [Fact]
    public void The_tables_are_as_long_as_they_were_meant_to_be() => Assert.InRange(CommandLines.Count + Settings.Count, 150, 1000);

    private static void AssertOneLine(CommandLineRun run, int code, string words)
    {
        Assert.Empty(run.Output);
        var complaint = run.ErrorLines[0];
        Assert.All(words.Split('|'), text => Assert.Contains(text, complaint, StringComparison.Ordinal));
        Assert.Equal(code, run.Code);
        Assert.StartsWith("tapwire: ", complaint, StringComparison.Ordinal);
        if (run.ErrorLines.Length > 1)
            Assert.Matches("^tapwire: see 'tapwire[a-z ]* --help'\\.$", Assert.Single(run.ErrorLines.Skip(1)));
        Assert.InRange(complaint.Length, 20, 700);
        Assert.DoesNotContain(complaint, static c => char.IsControl(c) || c == '\u202E');
        Assert.DoesNotMatch(Internals(), run.Error);
    }

    private string Filled(string text) => text
        .Replace("{empty}", "", StringComparison.Ordinal)
        .Replace("{escape}", "\u001B[31mred\u0007", StringComparison.Ordinal)
        .Replace("{bidi}", "a\u202Eb", StringComparison.Ordinal)
        .Replace("{control}", "a\u0001 = 5", StringComparison.Ordinal)
        .Replace("{long}", new string('x', 1000), StringComparison.Ordinal)
        .Replace("{directory}", _directory.FullName, StringComparison.Ordinal)
        .Replace("{text}", TextFile, StringComparison.Ordinal)
        .Replace("{script}", Script, StringComparison.Ordinal);

    /// <summary>Traces, and names that only the code has. The class of the dispatcher is what has to be written there.</summary>
    [GeneratedRegex(@" at Tapwire\.|Exception|System\.|Nullable|`1|Parameter '|not foreseen|AddressFamilyNotSupported|InvalidArgument|AddressInUse")]
    private static partial Regex Internals();
}
