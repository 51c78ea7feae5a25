using System.Net;
using Akka.Actor;

namespace Tapwire;

/// <summary>
/// A network in a test. Its hosts have real TCP/IP stacks; the cable between them loses, delays, reorders and cuts; time is virtual, so that a minute takes milliseconds. Everything derives from a seed: the
/// same program with the same seed runs alike each time.
/// </summary>
/// <remarks>
/// What the program brings in itself is not repeated: the system's clock and its timers, random numbers that are not of <see cref="Random"/>, threads of its own, sockets of the system. One lab runs at a time
/// in a process; another one waits for it.
/// </remarks>
public sealed class Lab
{
    private readonly ActorSystem _system;
    private readonly LabSeed _seed;

    internal Lab(LabOptions options, long seed, LabLoop loop, ActorSystem system)
    {
        (Seed, Loop, _system, _seed) = (seed, loop, system, new LabSeed(seed));
        Time = new LabTime(loop.Timers, options.Start);
        Capture = new LabCapture(loop.Timers, options.Start, options.CaptureBytes);
        Cable = new LabCable(loop.Timers, Capture, _seed);
        Random = new Random((int)_seed.Number("program"));
    }

    /// <summary>The seed of this run.</summary>
    public long Seed { get; }

    /// <summary>The lab's clock, for all time-outs, pauses and dates of the program: <c>Task.Delay(pause, lab.Time)</c>, <c>new CancellationTokenSource(limit, lab.Time)</c>, <c>new PeriodicTimer(period, lab.Time)</c>.</summary>
    public TimeProvider Time { get; }

    /// <summary>How much of the lab's time has passed.</summary>
    public TimeSpan Elapsed => Loop.Timers.Elapsed;

    /// <summary>Random numbers for the program, which the seed repeats.</summary>
    public Random Random { get; }

    /// <summary>The cable that joins all hosts. It is perfect, and takes no time, until it is told otherwise.</summary>
    public LabCable Cable { get; }

    /// <summary>The hosts, in the order in which they were added.</summary>
    public IReadOnlyList<LabHost> Hosts => [.. Cable.Hosts];

    internal LabLoop Loop { get; }

    internal LabCapture Capture { get; }

    /// <summary>Runs a program in a lab with that seed, and with the defaults of <see cref="LabOptions"/>.</summary>
    /// <inheritdoc cref="RunAsync(LabOptions, Func{Lab, Task})"/>
    public static Task<LabReport> RunAsync(long seed, Func<Lab, Task> program) => RunAsync(new LabOptions { Seed = seed }, program);

    /// <summary>Runs a program in a lab; with several runs in a new one for each seed. The run ends with the program: hosts and what still runs on them end, too.</summary>
    /// <param name="program">Runs on the thread pool. It waits for what happens in the lab, and for <see cref="Time"/>; it must not block its thread.</param>
    /// <returns>The last run.</returns>
    /// <exception cref="LabException">The program has thrown, or does not come to its end. The message has the seed, and where the packets are.</exception>
    /// <exception cref="ArgumentException">An option, or an environment variable, has a value that it cannot have.</exception>
    public static Task<LabReport> RunAsync(LabOptions options, Func<Lab, Task> program)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(program);
        options.Check();
        return LabRun.AllAsync(LabRun.SeedsOf(options, Environment.GetEnvironmentVariable), options, program);
    }

    /// <summary>Adds a host.</summary>
    /// <param name="name">By which other hosts look it up.</param>
    /// <param name="addresses">Of both families, as in 10.0.0.1, fd00::1 or 10.0.0.1/16.</param>
    /// <exception cref="ArgumentException">The name or an address is none, or is taken.</exception>
    public Task<LabHost> AddHostAsync(string name, params string[] addresses) => AddHostAsync(new LabHostOptions { Name = name, Addresses = addresses });

    /// <summary>Adds a host.</summary>
    /// <exception cref="ArgumentException">The name, an address or a setting cannot be; the message says why.</exception>
    public async Task<LabHost> AddHostAsync(LabHostOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var settings = LabHostSettings.Of(options, Cable.Hosts);
        var host = new LabHost(this, Cable.Hosts.Count, options.Name, [.. settings.Addresses.Select(static each => each.Address.ToSystem())]);
        if (settings.Mtu != 0)
            host.Mtu = Math.Min(settings.Mtu, host.Mtu);
        Capture.Describe(host);
        Cable.Join(host);
        await LabDriver.StartAsync(_system, this, host, settings, _seed).ConfigureAwait(false);
        LabDriver.TellNames(Cable.Hosts);
        return host;
    }

    /// <summary>The host of that name.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public LabHost HostOf(string name) => Cable.HostOf(name, nameof(name));

    /// <summary>Cuts two hosts off from each other, in both directions.</summary>
    /// <exception cref="ArgumentException">There is no such host, or both are the same.</exception>
    public void Partition(string first, string second) => SetCut(first, second, isCut: true);

    /// <summary>Cuts a host off from all others that there are.</summary>
    /// <exception cref="ArgumentException">There is no such host.</exception>
    public void Isolate(string host)
    {
        var alone = HostOf(host);
        foreach (var path in Cable.Paths.Where(path => path.From == alone || path.To == alone))
            path.IsCut = true;
    }

    /// <summary>Ends a partition of two hosts.</summary>
    /// <exception cref="ArgumentException">There is no such host, or both are the same.</exception>
    public void Heal(string first, string second) => SetCut(first, second, isCut: false);

    /// <summary>Ends all partitions.</summary>
    public void Heal()
    {
        foreach (var path in Cable.Paths)
            path.IsCut = false;
    }

    /// <summary>The packets until now, a file of pcapng: an interface for each host, with what it has sent and received. A packet that was dropped says so in its comment.</summary>
    public byte[] GetCapture() => Capture.ToArray();

    private void SetCut(string first, string second, bool isCut)
    {
        Cable.Path(first, second).IsCut = isCut;
        Cable.Path(second, first).IsCut = isCut;
    }
}
