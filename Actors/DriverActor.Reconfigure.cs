using Akka.Actor;
using Tapwire.Actors.Link;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors;

/// <summary>
/// Other settings while the driver runs. What one does depends on no other, so that each that fails leaves only itself as it was. Only services have an order:
/// those that go accept nothing any more before others come, since one may have the port of another.
/// </summary>
public sealed partial class DriverActor
{
    private static readonly TimeSpan ChangePatience = TimeSpan.FromSeconds(20);

    private void Begin(Reconfigure wanted)
    {
        if (!IsReady)
        {
            Refuse("The driver is still starting.");
            return;
        }

        var change = new Change(Sender, wanted);
        _settings = _settings with { ShutdownTimeout = wanted.Settings.ShutdownTimeout };
        var closing = new HashSet<IActorRef>();
        foreach (var service in _listeners.Keys.Except(wanted.Settings.Serve).ToList())
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

    /// <summary>The service's listeners, whose end is awaited by nobody but an orderly stop from now on.</summary>
    private IReadOnlyList<IActorRef> Retire(ServiceSpec service)
    {
        _listeners.Remove(service, out var listeners);
        _retired.UnionWith(listeners!);
        return listeners!;
    }

    private void OpenServices(Change change)
    {
        var opening = new Dictionary<IActorRef, ServiceSpec>();
        foreach (var service in change.Wanted.Serve.Where(service => !_listeners.ContainsKey(service)))
        {
            StartService(service);
            foreach (var listener in _listeners[service])
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
            if (problem is not null && _listeners.ContainsKey(service))
            {
                // One on each shard, or none.
                foreach (var other in Retire(service))
                    other.Tell(Stopping.Instance);
                change.Problems.Add($"The service {service} cannot listen: {problem}.");
            }

            if (_listeners.ContainsKey(service) && !opening.ContainsValue(service))
                change.Done.Add($"{service} opened");
            if (opening.Count == 0)
                Settle(change);
        }
    }

    /// <summary>What others do: proxy, link and stacks are asked, and answer the driver.</summary>
    private void Settle(Change change)
    {
        var wanted = change.Wanted;
        if (_proxy.IsNobody() && wanted.Socks.Listen.Count + wanted.Forward.Count + wanted.Expose.Count > 0)
            StartProxy();
        AskOthersAsync(change.Request, Allowed(wanted), _settings.Addresses, _stacks, _link, _proxy).PipeTo(Self);
        Become(() => Changing(change, static _ => { }, () => Receive<ChangeSettled>(settled => Finish(change, settled))));
    }

    private void Finish(Change change, ChangeSettled settled)
    {
        var wanted = change.Wanted;
        _settings = _settings with
        {
            Serve = [.. wanted.Serve.Where(_listeners.ContainsKey)],
            Addresses = settled.Addresses,
            Link = settled.LinkIsDone ? wanted.Link : _settings.Link,
            Socks = settled.Proxy.Settings.Socks,
            Forward = settled.Proxy.Settings.Forward,
            Expose = settled.Proxy.Settings.Expose,
            Proxy = wanted.Proxy,
        };
        change.Asker.Tell(new Reconfigured(_settings, [.. change.Done, .. settled.Proxy.Done, .. settled.Done], [.. change.Problems, .. settled.Proxy.Problems, .. settled.Problems]));
        Become(Starting);
    }

    /// <summary>While a change is under way.</summary>
    /// <param name="ended">An actor that was to be closed, or opened, has ended instead of answering.</param>
    /// <param name="step">What is awaited.</param>
    private void Changing(Change change, Action<IActorRef> ended, Action step)
    {
        step();
        Receive<WhenReady>(_ => Sender.Tell(new DriverReady(_stacks[0], [.. _services.Distinct()])));
        Receive<Reconfigure>(_ => Refuse("The driver is still busy with other settings."));
        Receive<Terminated>(gone => _retired.Contains(gone.ActorRef) || _listeners.Values.Any(listeners => listeners.Contains(gone.ActorRef)), gone =>
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

    /// <summary>Apart from the actor: it only asks.</summary>
    /// <param name="allowed">What of the settings that are asked for the driver's parts get.</param>
    private static async Task<ChangeSettled> AskOthersAsync(Reconfigure request, DriverSettings allowed, IReadOnlyList<IpPrefix> addresses, IReadOnlyList<IActorRef> stacks,
        IActorRef link, IActorRef proxy)
    {
        var (wanted, users) = request;
        var (done, problems) = (new List<string>(), new List<string>());
        stacks = [.. stacks];
        var proxied = new Reconfigured(wanted, [], []);
        var linkProblem = (string?)null;
        var own = addresses.ToList();
        try
        {
            if (!proxy.IsNobody())
                proxied = await proxy.Ask<Reconfigured>(new ReconfigureProxy(allowed), ChangePatience);
            if (!link.IsNobody())
                linkProblem = (await link.Ask<LinkReconfigured>(new ReconfigureLink(allowed.Link, users), ChangePatience)).Problem;

            // One with another prefix than before goes first: it is the same address. Others come first, so that there is always one.
            foreach (var old in addresses.Except(wanted.Addresses).Where(old => wanted.Addresses.Any(added => added.Address == old.Address)))
                await RemoveAsync(old);
            foreach (var added in wanted.Addresses.Except(addresses))
            {
                if (await AskAsync(stacks, new AddAddress(added)) is not StackError.None and var error)
                {
                    problems.Add($"The address {added} cannot be added: {error.Describe()}.");
                    continue;
                }

                own.Add(added);
                done.Add($"address {added} added");
            }

            foreach (var old in own.Except(wanted.Addresses).ToList())
                await RemoveAsync(old);
        }
        catch (AskTimeoutException)
        {
            problems.Add("A part of the driver has not answered; read the settings again.");
        }

        if (linkProblem is not null)
            problems.Add(linkProblem);
        return new ChangeSettled(proxied, linkProblem is null, own, done, problems);

        async Task RemoveAsync(IpPrefix old)
        {
            own.Remove(old);
            // One that is gone already has been removed over the link.
            await AskAsync(stacks, new RemoveAddress(old.Address));
            done.Add($"address {old} removed");
        }
    }

    /// <summary>All shards have the same addresses, and so give the same answer.</summary>
    private static async Task<StackError> AskAsync(IReadOnlyList<IActorRef> stacks, object question) =>
        (await Task.WhenAll(stacks.Select(stack => stack.Ask<AddressAnswer>(question, ChangePatience))))[0].Error;

    /// <summary>What has been asked for, and what has come of it so far.</summary>
    private sealed record Change(IActorRef Asker, Reconfigure Request)
    {
        public DriverSettings Wanted => Request.Settings;

        public List<string> Done { get; } = [];

        public List<string> Problems { get; } = [];
    }

    /// <summary>The driver → itself: proxy, link and stacks have done what they could.</summary>
    private sealed record ChangeSettled(Reconfigured Proxy, bool LinkIsDone, IReadOnlyList<IpPrefix> Addresses, IReadOnlyList<string> Done, IReadOnlyList<string> Problems);
}
