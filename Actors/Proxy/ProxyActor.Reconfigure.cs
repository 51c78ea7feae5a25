using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Messages;
using Tapwire.Proxy;

namespace Tapwire.Actors.Proxy;

/// <summary>Changes ports, limits and users while the proxy runs.</summary>
internal sealed partial class ProxyActor
{
    /// <summary>Closes the ports that are no longer wanted, and only then opens others: a new one may need the address of an old one.</summary>
    private void Reconfigure(DriverSettings wanted)
    {
        var change = new Change(Sender, wanted);
        _context = _context with { Settings = wanted };
        foreach (var port in _ports)
            port.Tell(new UseContext(_context));
        var closing = new HashSet<IActorRef>();
        foreach (var spec in _open.Keys.Except(SpecsOf(wanted)).ToList())
        {
            _open.Remove(spec, out var port);
            port.Tell(StopAccepting.Instance);
            closing.Add(port!);
            change.Done.Add($"{NameOf(spec)} closed");
        }

        if (closing.Count == 0)
        {
            OpenPorts(change);
            return;
        }

        Become(() =>
        {
            Receive<AcceptingStopped>(_ => Closed(Sender));
            Receive<Terminated>(gone =>
            {
                Forget(gone.ActorRef);
                Closed(gone.ActorRef);
            });
            ReceiveAlways();
        });

        void Closed(IActorRef port)
        {
            if (closing.Remove(port) && closing.Count == 0)
                OpenPorts(change);
        }
    }

    private void OpenPorts(Change change)
    {
        var opening = new Dictionary<IActorRef, ExposeSpec>();
        foreach (var spec in SpecsOf(change.Wanted).Except(_open.Keys).ToList())
        {
            if (spec is ExposeSpec expose)
                opening.Add(Add(expose), expose);
            else
                OpenHostPort(spec, change);
        }

        if (opening.Count == 0)
        {
            Answer(change);
            return;
        }

        Become(() =>
        {
            Receive<PortOpened>(opened => Opened(Sender, opened.Problem));
            Receive<Terminated>(gone =>
            {
                Opened(gone.ActorRef, "it has stopped before it was open.");
                Forget(gone.ActorRef);
            });
            Receive<AcceptingStopped>(_ => { });
            ReceiveAlways();
        });

        void Opened(IActorRef port, string? problem)
        {
            if (!opening.Remove(port, out var spec))
                return;
            if (problem is null)
            {
                change.Done.Add($"{NameOf(spec)} opened");
            }
            else
            {
                _open.Remove(spec);
                change.Problems.Add(problem);
            }

            if (opening.Count == 0)
                Answer(change);
        }
    }

    private void OpenHostPort(object spec, Change change)
    {
        try
        {
            Add(spec is SocksSpec socks ? HostPort.Open(socks) : HostPort.Open((ForwardSpec)spec));
            change.Done.Add($"{NameOf(spec)} opened");
        }
        catch (HostSocketException e)
        {
            change.Problems.Add($"The port of {NameOf(spec)} cannot be opened: {e.Message}");
        }
    }

    private void Answer(Change change)
    {
        var settled = change.Wanted with
        {
            Socks = change.Wanted.Socks with { Listen = [.. change.Wanted.Socks.Listen.Where(_open.ContainsKey)] },
            Forward = [.. change.Wanted.Forward.Where(_open.ContainsKey)],
            Expose = [.. change.Wanted.Expose.Where(_open.ContainsKey)],
        };
        change.Asker.Tell(new Reconfigured(settled, change.Done, change.Problems));
        Become(Serving);
    }

    private static IEnumerable<object> SpecsOf(DriverSettings settings) => [.. settings.Socks.Listen, .. settings.Forward, .. settings.Expose];

    private static string NameOf(object spec) => spec switch
    {
        SocksSpec => $"socks {spec}",
        ForwardSpec => $"forward {spec}",
        _ => $"expose {spec}",
    };

    /// <summary>The settings that are asked for, and the results so far.</summary>
    private sealed record Change(IActorRef Asker, DriverSettings Wanted)
    {
        public List<string> Done { get; } = [];

        public List<string> Problems { get; } = [];
    }
}
