using Akka.Actor;
using Tapwire.Actors.Names;
using Tapwire.Actors.Settings;
using Tapwire.Messages;

namespace Tapwire.Actors;

/// <summary>A change of the settings in progress: the request, and its outcome so far.</summary>
internal sealed record SettingsChange(IActorRef Asker, Reconfigure Request, DriverSettings Before)
{
    public DriverSettings Wanted => Request.Settings;

    /// <summary>The interfaces after the first that the driver has so far.</summary>
    public IReadOnlyList<InterfaceSettings> Interfaces { get; set; } = [];

    public List<string> Done { get; } = [];

    public List<string> Problems { get; } = [];

    public void Take(ChangeOutcome outcome)
    {
        Done.AddRange(outcome.Done);
        Problems.AddRange(outcome.Problems);
    }

    /// <summary>Gives the driver's resolver its settings, if they are others.</summary>
    public void UseNames(IActorRef names)
    {
        if (string.Join('\n', Wanted.WireNames) != string.Join('\n', Before.WireNames))
        {
            foreach (var gone in Before.WireNames)
                (gone with { Servers = [], SearchDomains = [] }).Tell(names);
            foreach (var named in Wanted.WireNames)
                named.Tell(names);
            Done.Add("name servers of wires changed");
        }

        if (PublishedName.Of(Wanted) is var identity && identity?.ToString() != PublishedName.Of(Before)?.ToString())
        {
            names.Tell(new PublishName(identity));
            Done.Add(identity is null ? "no name is published" : $"published as {identity.Label}.local");
        }

        if (Wanted.Dns.ToString() == Before.Dns.ToString())
            return;
        names.Tell(new UseNames(Wanted.Dns));
        Done.Add(Wanted.Dns.IsOff ? "no name servers" : "name servers changed");
    }

    /// <summary>The driver's settings when all is done.</summary>
    /// <param name="current">As they have been so far.</param>
    /// <param name="serves">Whether a service accepts connections.</param>
    public DriverSettings Applied(DriverSettings current, ChangeSettled settled, Func<ServiceSpec, bool> serves)
    {
        var main = settled.Interfaces[0];
        return current with
        {
            Serve = [.. Wanted.Serve.Where(serves)],
            Addresses = main.Addresses,
            Gateway = main.Gateway,
            Routes = main.Routes,
            Interfaces = [.. settled.Interfaces.Skip(1)],
            Link = settled.LinkIsDone ? Wanted.Link : current.Link,
            Socks = settled.Proxy.Settings.Socks,
            Forward = settled.Proxy.Settings.Forward,
            Expose = settled.Proxy.Settings.Expose,
            Proxy = Wanted.Proxy,
            Dns = Wanted.Dns,
            Name = Wanted.Name,
            WireNames = Wanted.WireNames,
        };
    }
}

/// <summary>DriverActor → itself: proxy, link and stacks have answered.</summary>
internal sealed record ChangeSettled(Reconfigured Proxy, bool LinkIsDone, IReadOnlyList<InterfaceSettings> Interfaces, ChangeOutcome Outcome);

/// <summary>Asks the driver's parts to take other settings. It runs outside the driver's actor, and only asks actors.</summary>
internal static class SettingsQuestions
{
    /// <param name="allowed">The requested settings, within the limit on descriptors.</param>
    /// <param name="current">The driver's settings with its present interfaces.</param>
    public static async Task<ChangeSettled> AskAsync(Reconfigure request, DriverSettings allowed, DriverSettings current, IReadOnlyList<IActorRef> stacks,
        IActorRef link, IActorRef proxy)
    {
        var (wanted, users) = request;
        var outcome = new ChangeOutcome();
        var proxied = new Reconfigured(wanted, [], []);
        var linkProblem = (string?)null;
        var interfaces = current.AllInterfaces;
        try
        {
            if (!proxy.IsNobody())
                proxied = await proxy.Ask<Reconfigured>(new ReconfigureProxy(allowed), DriverActor.ChangePatience);
            if (!link.IsNobody())
                linkProblem = (await link.Ask<LinkReconfigured>(new ReconfigureLink(allowed.Link, users), DriverActor.ChangePatience)).Problem;
            interfaces = await InterfaceChanges.ChangeAsync(stacks, interfaces, wanted.AllInterfaces, outcome);
        }
        catch (AskTimeoutException)
        {
            outcome.Problems.Add("A part of the driver has not answered; read the settings again.");
        }

        if (linkProblem is not null)
            outcome.Problems.Add(linkProblem);
        outcome = new ChangeOutcome([.. proxied.Done, .. outcome.Done], [.. proxied.Problems, .. outcome.Problems]);
        return new ChangeSettled(proxied, linkProblem is null, interfaces, outcome);
    }
}
