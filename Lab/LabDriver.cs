using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Actors.Names;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire;

/// <summary>The drivers of a lab's hosts.</summary>
internal static class LabDriver
{
    /// <summary>Of real time; a driver comes up at once.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <exception cref="ArgumentException">The stack refuses a setting.</exception>
    public static async Task StartAsync(ActorSystem system, Lab lab, LabHost host, DriverSettings settings, LabSeed seed)
    {
        // Made from the settings that the user gave: an address with a MAC of its own would be one host to the cable all the same.
        var own = settings with { HardwareAddress = settings.HardwareAddress ?? host.HardwareAddress };
        var shard = new DriverShard([new DriverWire(host.OpenDevice(), host.OpenDevice)], NoReactor.Instance, LabSystem.Dispatcher);
        var context = new DriverContext(own, [shard], Link: null, new BufferPool(), lab.Time, seed.Bytes($"host {host.Name}"))
        {
            HostKey = seed.Bytes($"key of {host.Name}")[..DriverContext.HostKeyLength],
            CaptureDispatcher = LabSystem.Dispatcher,
        };
        Props props;
        try
        {
            props = DriverActor.Props(context);
        }
        catch (SettingsException e)
        {
            throw new ArgumentException($"The settings of the host '{host.Name}': {e.Message}", nameof(settings), e);
        }

        var driver = system.ActorOf(DriverGuardian.Props(props), host.Name);
        var answer = await driver.Ask<object>(WhenReady.Instance, Patience).ConfigureAwait(false);
        if (answer is not DriverReady ready)
            throw new ArgumentException($"The host '{host.Name}' does not come up: {(answer is DriverFailed failed ? failed.Reason : answer.ToString())}", nameof(settings));
        host.Names = ready.Names;
        var seen = ready with
        {
            Names = new ProgramSideRef(ready.Names, lab.Loop, host.Number),
            Sockets = [.. ready.Sockets.Select(each => each with { Stack = new ProgramSideRef(each.Stack, lab.Loop, host.Number) })],
        };
        host.Network = new TapwireDriver(system, ownsSystem: false, driver, seen, settings.ShutdownTimeout, lab.Time);
        host.Dns = settings.Dns;
    }

    /// <summary>Has all hosts know all names.</summary>
    public static void TellNames(IReadOnlyList<LabHost> hosts)
    {
        // One whose driver has not come up has no names.
        hosts = [.. hosts.Where(static host => host.Dns is not null)];
        var known = hosts.SelectMany(static host => host.Addresses.Select(address => (Name(host.Name), IpAddress.FromSystem(address)))).ToList();
        foreach (var host in hosts)
            host.Names.Tell(new UseNames(host.Dns! with { Hosts = [.. known, .. host.Dns!.Hosts] }));
    }

    private static DnsName Name(string name) => DnsName.TryParse(name, out var parsed) ? parsed : throw new InvalidOperationException($"'{name}' is no name.");
}
