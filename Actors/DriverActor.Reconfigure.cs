using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Link;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>
/// Changes of the settings while the driver runs. The changes are independent: one that fails leaves its own part as it was, and the others take effect. Only
/// services have an order: removed services stop accepting before new ones listen, because a new service may use the port of a removed one.
/// </summary>
public sealed partial class DriverActor
{
    internal static readonly TimeSpan ChangePatience = TimeSpan.FromSeconds(20);

    private void Begin(Reconfigure wanted)
    {
        if (!IsReady)
        {
            Refuse("The driver is still starting.");
            return;
        }

        var settings = _commands.Reconcile(wanted.Settings, _settings, out var kept);
        foreach (var name in kept)
            _log.Info("The interface {Interface} stays as commands have changed it", name);
        var change = new SettingsChange(Sender, wanted with { Settings = settings }, _settings);
        _settings = _settings with { ShutdownTimeout = settings.ShutdownTimeout };
        var closing = new HashSet<IActorRef>();
        foreach (var service in _served.Listeners.Keys.Except(settings.Serve).ToList())
        {
            foreach (var listener in Retire(service))
            {
                listener.Tell(StopAccepting.Instance);
                closing.Add(listener);
            }

            change.Done.Add($"{service} closed");
        }

        if (closing.Count == 0)
        {
            OpenServices(change);
            return;
        }

        Become(() => Changing(change, gone => Closed(gone), () => Receive<AcceptingStopped>(_ => Closed(Sender))));

        void Closed(IActorRef listener)
        {
            if (closing.Remove(listener) && closing.Count == 0)
                OpenServices(change);
        }
    }

    /// <summary>Removes the service and returns its listeners. From now on only an orderly stop waits for their end.</summary>
    private IReadOnlyList<IActorRef> Retire(ServiceSpec service)
    {
        _served.Listeners.Remove(service, out var listeners);
        _retired.UnionWith(listeners!);
        return listeners!;
    }

    private void OpenServices(SettingsChange change)
    {
        var opening = new Dictionary<IActorRef, ServiceSpec>();
        foreach (var service in change.Wanted.Serve.Where(service => !_served.Listeners.ContainsKey(service)))
        {
            StartService(service);
            foreach (var listener in _served.Listeners[service])
                opening.Add(listener, service);
        }

        if (opening.Count == 0)
        {
            Settle(change);
            return;
        }

        Become(() => Changing(change, gone => Opened(gone, "it has stopped"), () => Receive<ServiceOpened>(opened =>
            Opened(Sender, opened.Error == StackError.None ? null : opened.Error.Describe()))));

        void Opened(IActorRef listener, string? problem)
        {
            if (!opening.Remove(listener, out var service))
                return;
            if (problem is not null && _served.Listeners.ContainsKey(service))
            {
                // A service listens on every shard or on none.
                foreach (var other in Retire(service))
                    other.Tell(Stopping.Instance);
                change.Problems.Add($"The service {service} cannot listen: {problem}.");
            }

            if (_served.Listeners.ContainsKey(service) && !opening.ContainsValue(service))
                change.Done.Add($"{service} opened");
            if (opening.Count == 0)
                Settle(change);
        }
    }

    /// <summary>
    /// Changes everything except services: interfaces first, then proxy, link and addresses. Removed interfaces go before new ones open, because a new interface may need
    /// the device of a removed one.
    /// </summary>
    private void Settle(SettingsChange change)
    {
        var wanted = change.Wanted;
        if (_proxy.IsNobody() && wanted.Socks.Listen.Count + wanted.Forward.Count + wanted.Expose.Count > 0)
            StartProxy();
        var going = new List<InterfaceTaps>();
        foreach (var old in _settings.Interfaces.Where(old => !wanted.Interfaces.Any(kept => kept.Name == old.Name && kept.Fixed == old.Fixed)))
            going.Add(RetireTaps(old.Name));
        change.Interfaces = [.. _settings.Interfaces.Where(kept => !going.Exists(gone => gone.Name == kept.Name))];
        InterfaceChanges.RemoveAsync([.. _stacks], _names, going).PipeTo(Self);
        Become(() => Changing(change, static _ => { }, () => Receive<InterfacesRemoved>(removed =>
        {
            change.Take(removed.Outcome);
            OpenInterfaces(change);
        })));
    }

    private void OpenInterfaces(SettingsChange change)
    {
        var coming = new List<(InterfaceSettings Settings, IReadOnlyList<AttachInterface> Questions)>();
        foreach (var added in change.Wanted.Interfaces.Where(added => !change.Interfaces.Any(kept => kept.Name == added.Name)))
        {
            try
            {
                coming.Add((added, _interfaces.Open(added)));
            }
            catch (WireException e)
            {
                change.Problems.Add($"The interface {added.Name} does not come: {e.Message}");
            }
        }

        InterfaceChanges.AddAsync([.. _stacks], coming).PipeTo(Self);
        Become(() => Changing(change, static _ => { }, () => Receive<InterfacesAdded>(added =>
        {
            change.Take(added.Outcome);
            foreach (var refused in added.Refused)
                EndTaps(refused.Name);

            var come = coming.Select(static each => each.Settings).Except(added.Refused).ToList();
            _leases.Start(come, _sockets[0], _names);
            change.Interfaces = [.. change.Interfaces, .. come];
            AskOthers(change);
        })));
    }

    private void AskOthers(SettingsChange change)
    {
        SettingsQuestions.AskAsync(change.Request, Allowed(change.Wanted), _settings with { Interfaces = change.Interfaces }, [.. _stacks], _link, _proxy).PipeTo(Self);
        Become(() => Changing(change, static _ => { }, () => Receive<ChangeSettled>(settled => Finish(change, settled))));
    }

    private void Finish(SettingsChange change, ChangeSettled settled)
    {
        change.Take(settled.Outcome);
        change.UseNames(_names);
        _settings = change.Applied(_settings, settled, _served.Listeners.ContainsKey);
        _interfaces.Reread();
        change.Asker.Tell(new Reconfigured(_settings, change.Done, change.Problems) { Before = change.Before });
        Become(Starting);
        _waiting.GoOn();
    }

    /// <summary>Handles messages while a change is in progress.</summary>
    /// <param name="ended">Called when an actor that was to be opened or closed has ended instead of answering.</param>
    /// <param name="step">Registers the handler of the answer that this step waits for.</param>
    private void Changing(SettingsChange change, Action<IActorRef> ended, Action step)
    {
        step();
        Receive<WhenReady>(_ => Sender.Tell(new DriverReady(_stacks[0], [.. _services.Distinct()])));
        Receive<Reconfigure>(_ => Refuse("The driver is still busy with other settings."));
        Receive<Terminated>(gone => _retired.Contains(gone.ActorRef) || _served.Listeners.Values.Any(listeners => listeners.Contains(gone.ActorRef)), gone =>
        {
            Forget(gone.ActorRef);
            ended(gone.ActorRef);
            if (!_retired.Remove(gone.ActorRef))
                Fail($"The {gone.ActorRef.Path.Name} actor has stopped.");
        });
        Receive<ProxyOpened>(_ => _proxyIsOpen = true);
        Receive<AcceptingStopped>(_ => { });
        Receive<ServiceOpened>(_ => { });
        Receive<StopDriver>(_ =>
        {
            change.Asker.Tell(new Status.Failure(new InvalidOperationException("The driver is stopping.")));
            Stop();
        });
        ReceiveAlways();
    }
}
