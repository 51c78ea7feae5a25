namespace Tapwire.Host.Manual;

/// <summary>The parts of a command's manual page that its help does not have.</summary>
internal sealed record CommandNotes
{
    private const string Capability = "The network device /dev/net/tun needs the capability CAP_NET_ADMIN, or a device that root has made for the user with "
        + "'ip tuntap add dev tw0 mode tap user NAME'. Within 'unshare -Urn' everybody has that capability, for a network of his own.";

    private const string Operator = "Only the driver's own user and root may change them, whoever else its link admits.";

    private const string Rule = "What is changed so holds until the driver ends, or reads settings again (SIGHUP) that say something else of that interface than they did before: "
        + "then the interface becomes what they say. It is not written to any file.";

    private static readonly (string Code, string Meaning) Failed = ("1", "Failed. One line on standard error says what, and what to do.");
    private static readonly (string Code, string Meaning) Wrong = ("2", "The command line or a setting is wrong.");
    private static readonly (string Code, string Meaning) Interrupted = ("130", "Interrupted by Ctrl-C.");

    /// <summary>The exit codes of commands that have none of their own.</summary>
    public static readonly IReadOnlyList<(string Code, string Meaning)> ExitStatus =
    [
        ("0", "Done."),
        Failed,
        Wrong,
        Interrupted,
    ];

    private static readonly (string Path, string Meaning) Settings =
        ("/etc/tapwire/tapwire.hocon", "The settings of the system's service, read where --config names it. See tapwire.hocon(5).");

    private static readonly (string Path, string Meaning) Link =
        ("/run/tapwire/link.sock", "The link of the system's service, and of a driver that root runs: where programs and other commands find it.");

    private static readonly Dictionary<string, CommandNotes> All = new()
    {
        ["tapwire"] = new()
        {
            Paragraphs =
            [
                "A driver takes frames off a network device. A TCP/IP stack in user space turns them into byte streams. Programs read and write ordinary sockets, and "
                + "know nothing of all this.",
                "'tapwire up' is the driver, 'tapwire run' starts unmodified programs on it, and 'tapwire demo' shows all of it without privileges.",
            ],
            Files = [Settings, Link],
            Examples =
            [
                ("See it work, without privileges:", "tapwire demo"),
                ("A driver with a web page, and the kernel as the other host, in two shells:",
                    "tapwire up --wire tap:tw0 --address 10.99.0.2/24 \\\n    --peer-address 10.99.0.1/24 --serve http:80\n\ncurl http://10.99.0.2/"),
            ],
            Related = null,
        },
        ["demo"] = new()
        {
            Paragraphs = ["The cable is in memory and repeats its dice from a seed. It can delay, lose, reorder, duplicate and corrupt frames; the file arrives intact all the same."],
            Examples = [("Over a bad network:", "tapwire demo --size 64MiB --loss 0.02 \\\n    --latency 5ms --connections 20 --seed 7")],
            Related = ["tapwire", "cable"],
        },
        ["up"] = new()
        {
            Paragraphs =
            [
                Capability,
                "An option goes before the file that --config names, and that file goes before the defaults. SIGTERM and Ctrl-C stop the driver in order: applications see "
                + "the end of their streams, connections are ended or reset, and the wire closes last.",
                "SIGHUP reads the settings again: what can change while the driver runs does, and what takes effect at the next start is named in the log. Where the terminal "
                + "has hung up it stops the driver in order. SIGUSR1 prints the driver's counters.",
                "With --wire qemu:unix:PATH the wire is the network card of a virtual machine, whose QEMU has -netdev stream,server=off,addr.type=unix,addr.path=PATH; with qemu:unix-connect:PATH it has "
                + "server=on, and with qemu:unix-dgram:LOCAL:REMOTE it has -netdev dgram. --serve dhcp behind a wire gives its stations addresses, a name server and, where the driver forwards, a way out.",
                "With --dhcp a DHCP server gives the wire its address, routes and name servers. The driver is up before it has them, and asks again until a server answers.",
            ],
            Files = [Settings, Link, ("/var/lib/tapwire", "DHCP leases of root's drivers and of the system's service, for the next start; others' are in ~/.local/state/tapwire.")],
            ExitCodes =
            [
                ("0", "Stopped by SIGTERM."),
                Failed,
                Wrong,
                ("129", "The terminal has hung up."),
                Interrupted,
            ],
            Examples =
            [
                ("A driver with services of its own:", "tapwire up --wire tap:tw0 --address 10.99.0.2/24 \\\n    --peer-address 10.99.0.1/24 --serve echo:7,http:80"),
                ("With a SOCKS proxy, and a port of this machine that leads into the network:",
                    "tapwire up --wire tap:tw0 --address 10.99.0.2/24 \\\n    --socks 127.0.0.1:1080 \\\n    --forward tcp:127.0.0.1:8080=10.99.0.1:80"),
                ("A virtual machine on a WireGuard network:", "tapwire up --wire qemu:unix:/tmp/vm.sock \\\n    --address 10.0.2.2/24 --serve dhcp \\\n    --wire wg:office.conf --masquerade"),
                ("As a service:", "systemctl enable --now tapwire"),
            ],
            Related = ["tapwire", "run", "status", "ping", "interface", "address", "route"],
        },
        ["run"] = new()
        {
            Paragraphs =
            [
                "The library libtapwire.so goes into the program by LD_PRELOAD. The program's IPv4 and IPv6 stream and datagram sockets are then Tapwire's, and so are those "
                + "of the programs that it starts. Loopback is the host's, unless --route names it.",
                "Programs that the library does not get into would have the host's network: statically linked ones, Go's, those for another C library, and those that are "
                + "setuid, setgid or have file capabilities. They are refused with exit code 126, unless --allow-bypass is given.",
                "With --netns the program runs in a network namespace of its own instead, without the library, and everything that it sends to others goes by the driver: any program works. "
                + "--publish has ports of Tapwire's address lead to it. "
                + "That needs user namespaces and access to /dev/net/tun, no privilege.",
                "A driver of the program's own, with --wire and --address, needs what tapwire-up(1) says of the network device.",
            ],
            Files =
            [
                Link,
                ("~/.cache/tapwire", "Where libtapwire.so is put when Tapwire is a single file and has none beside it; root's is /var/cache/tapwire."),
            ],
            ExitCodes =
            [
                ("126", "The program cannot be run, or would go by the host's network."),
                ("127", "The program is not there."),
                ("1", "Failed before the program was run. One line on standard error says what, and what to do."),
                Wrong,
                ("other", "The program's own."),
            ],
            Examples =
            [
                ("On the driver that runs:", "tapwire run -- curl http://10.99.0.1/"),
                ("A program that the library does not get into:", "tapwire run --netns --dns 10.99.0.1 -- ./static-program"),
                ("On a driver of its own, for as long as the program runs:", "tapwire run --wire tap:tw9 --address 10.98.0.2/24 -- sh"),
            ],
            Related = ["tapwire", "up"],
        },
        ["cable"] = new()
        {
            Paragraphs =
            [
                Capability,
                "Frames are of MTU size, as on a wire. SIGUSR1 prints the counters of both directions, and so does the end.",
            ],
            ExitCodes =
            [
                ("0", "Stopped by SIGTERM, or the time of --duration is over."),
                Failed,
                Wrong,
                ("129", "The terminal has hung up."),
                Interrupted,
            ],
            Examples =
            [
                ("A slow line that loses one frame in a hundred, three in a row:",
                    "tapwire cable --a tap:ca --b tap:cb --latency 20ms \\\n    --bandwidth 100mbit --queue 50 --loss 1% --loss-burst 3"),
                ("Loss in one direction only:", "tapwire cable --a tap:ca --b tap:cb --loss b-a:1%"),
            ],
            Related = ["tapwire", "demo"],
        },
        ["ping"] = new()
        {
            Files = [Link],
            Examples = [("Three requests:", "tapwire ping 10.99.0.1 --count 3")],
            Related = ["tapwire", "up", "status"],
        },
        ["resolve"] = new()
        {
            Paragraphs =
            [
                "The driver asks its name servers itself, by way of its own network: those of 'tapwire up --dns', or of tapwire.dns in its settings. A dot at the end of the name keeps "
                + "domains from being searched. Each address is printed on a line; of an address its name.",
            ],
            Files = [Link],
            Examples = [("Only addresses of IPv4:", "tapwire resolve www.example.org --family 4"), ("The name of an address:", "tapwire resolve 10.99.0.1")],
            Related = ["tapwire", "up", "ping"],
        },
        ["browse"] = new()
        {
            Paragraphs =
            [
                "Each link with Ethernet is asked by multicast DNS (RFC 6762, RFC 6763). Without SERVICE the types that there are come out, one a line. With one each instance comes with its host and port, the host's "
                + "addresses, and what it says of itself, one a line. A link-local address has the zone of the link where it was heard.",
            ],
            Files = [Link],
            Examples = [("Web servers of the network:", "tapwire browse _http._tcp"), ("Printers that come and go:", "tapwire browse ipp --watch")],
            Related = ["tapwire", "up", "resolve"],
        },
        ["status"] = new()
        {
            Files = [Link],
            Examples = [("For a program to read:", "tapwire status --json"), ("To look on:", "tapwire status --watch")],
            Related = ["tapwire", "up", "ping"],
        },
        ["stop"] = new()
        {
            Files = [Link],
            Examples = [("The user's own driver:", "tapwire stop")],
            Related = ["tapwire", "up", "reload"],
        },
        ["reload"] = new()
        {
            Files = [Link],
            Examples = [("After a change of its settings:", "tapwire reload")],
            Related = ["tapwire", "up", "stop"],
        },
        ["kill"] = new()
        {
            Paragraphs = ["The connection's application gets ECONNABORTED, its peer a reset. Options choose as those of 'tapwire status' do, which shows beforehand what they choose."],
            Files = [Link],
            Examples = [("One connection:", "tapwire kill 10.99.0.2:8080 10.99.0.1:51234"), ("All of a port that the program has not closed:", "tapwire kill --port 8080 --state close-wait")],
            Related = ["tapwire", "status"],
        },
        ["capture"] = new()
        {
            Paragraphs =
            [
                "The packets are those that the driver's stack has received and sent, in the format of pcapng: of a WireGuard wire the inner ones. Super-frames of offloads are recorded as they are, longer than the MTU, "
                + "and checksums that were left to a device are completed. A packet that the stack has dropped has a comment with the counter of 'tapwire status' that counts it; one that the wire would not take comes a "
                + "second time with such a comment. Packets to the driver's own addresses go by no wire, and are not there; nor is what a guest of 'tapwire run --netns' sends before the driver sends it.",
                "A reader that is too slow loses packets, and slows nobody. Only the driver's own user and root may capture.",
                "Without -w the capture goes to standard output, which must not be a terminal: 'tapwire capture | tshark -i -' shows it. Ctrl-C ends the capture, and so does a reader that closes.",
            ],
            Files = [Link],
            ExitCodes =
            [
                ("0", "The capture has ended: by --count, Ctrl-C, SIGTERM, or its reader."),
                Failed,
                Wrong,
            ],
            Examples =
            [
                ("All packets into a file:", "tapwire capture -w all.pcapng"),
                ("Into a file, a hundred packets of one host:", "tapwire capture -w web.pcapng --host 10.99.0.1 --port 80 --count 100"),
            ],
            Related = ["tapwire", "up", "status"],
        },
        ["interface"] = new()
        {
            Paragraphs =
            [
                Operator,
                "The first interface is that of 'tapwire up --wire', or of the settings' own keys, and stays as long as the driver. Further ones are found by their names in the "
                + "settings (tapwire.interfaces), or are called as their devices.",
                Rule,
                Capability,
            ],
            Files = [Link],
            Examples =
            [
                ("A further network, with the kernel as the host at its other end:", "tapwire interface add --wire tap:tw1 --address 10.98.0.2/24 \\\n    --peer-address 10.98.0.1/24"),
                ("What there is:", "tapwire interface list"),
                ("And without it again:", "tapwire interface remove tw1"),
            ],
            Related = ["tapwire", "up", "address", "route", "neighbor", "status"],
        },
        ["address"] = new()
        {
            Paragraphs = ["Whoever the driver's link admits may change addresses.", "'dev NAME' is the same as '--interface NAME'.", Rule],
            Files = [Link],
            Examples =
            [
                ("One more on the network that there is:", "tapwire address add 10.99.0.3/24"),
                ("On a named interface:", "tapwire address add 10.98.0.3/24 --interface tw1"),
                ("And without it again:", "tapwire address remove 10.99.0.3"),
            ],
            Related = ["tapwire", "interface", "route", "neighbor", "status"],
        },
        ["neighbor"] = new()
        {
            Paragraphs =
            [
                "'neigh' and 'neighbour' are the same command, and 'lladdr MAC' is the same as '--lladdr MAC', 'dev NAME' as '--interface NAME'. States are those of RFC 4861, for ARP too; PERMANENT is what 'add' has named. "
                    + "The list is for whoever the driver's link admits.",
                Operator,
            ],
            Files = [Link],
            Examples =
            [
                ("Who is there:", "tapwire neighbor list"),
                ("A station that answers no ARP:", "tapwire neighbor add 10.99.0.7 lladdr 02:00:5e:10:00:07"),
                ("After a station has moved:", "tapwire neighbor flush dev tw0"),
            ],
            Related = ["tapwire", "interface", "address", "route", "status"],
        },
        ["route"] = new()
        {
            Paragraphs =
            [
                Operator,
                "'via IP' is the same as '--via IP', and 'dev NAME' as '--interface NAME'. Networks of the driver's own addresses need no route, and theirs cannot be removed.",
                Rule,
            ],
            Files = [Link],
            Examples =
            [
                ("To a network behind another router than the default one:", "tapwire route add 10.20.0.0/16 via 10.99.0.9"),
                ("And without it again:", "tapwire route remove 10.20.0.0/16"),
                ("To everywhere:", "tapwire route add default via 10.98.0.1 --interface tw1"),
            ],
            Related = ["tapwire", "interface", "address", "neighbor", "status"],
        },
        ["doctor"] = new()
        {
            Paragraphs =
            [
                "Each line has one verdict: 'ok', 'limited' where it works with less than there could be, 'missing' where something cannot work. What to do stands below it. "
                + "No device is made, and nothing is changed.",
            ],
            ExitCodes =
            [
                ("0", "Nothing is missing."),
                ("1", "Something is missing."),
                ("2", "The command line is wrong."),
            ],
            Files = [Settings, Link],
            Examples = [("With the settings of the service:", "tapwire doctor --config /etc/tapwire/tapwire.hocon"), ("For a program to read:", "tapwire doctor --json")],
            Related = ["tapwire", "up"],
        },
        ["completion"] = new()
        {
            Paragraphs = ["The Debian package installs these scripts. Elsewhere they are put where the shell looks for them, or read for one session."],
            Examples =
            [
                ("For one session of bash:", "source <(tapwire completion bash)"),
                ("For fish, for good:", "tapwire completion fish > ~/.config/fish/completions/tapwire.fish"),
            ],
            Related = ["tapwire"],
        },
    };

    /// <summary>Paragraphs after the command's description.</summary>
    public IReadOnlyList<string> Paragraphs { get; private init; } = [];

    /// <summary>The command's own exit codes; empty: <see cref="ExitStatus"/>.</summary>
    public IReadOnlyList<(string Code, string Meaning)> ExitCodes { get; private init; } = [];

    public IReadOnlyList<(string Path, string Meaning)> Files { get; private init; } = [];

    public IReadOnlyList<(string Meaning, string Lines)> Examples { get; private init; } = [];

    /// <summary>Commands under SEE ALSO; null: all commands.</summary>
    private IReadOnlyList<string>? Related { get; init; } = ["tapwire"];

    public static CommandNotes Of(string command) => All.GetValueOrDefault(command) ?? new CommandNotes();

    public bool IsRelatedTo(string command) => Related?.Contains(command) ?? true;
}
