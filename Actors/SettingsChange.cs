using Akka.Actor;
using Tapwire.Actors.Settings;

namespace Tapwire.Actors;

/// <summary>What has been asked for, and what has come of it so far.</summary>
internal sealed record SettingsChange(IActorRef Asker, Reconfigure Request, DriverSettings Before)
{
    public DriverSettings Wanted => Request.Settings;

    /// <summary>The further interfaces that there are by now.</summary>
    public IReadOnlyList<InterfaceSettings> Interfaces { get; set; } = [];

    public List<string> Done { get; } = [];

    public List<string> Problems { get; } = [];

    public void Take(ChangeOutcome outcome)
    {
        Done.AddRange(outcome.Done);
        Problems.AddRange(outcome.Problems);
    }
}

/// <summary>The driver → itself: proxy, link and stacks have done what they could.</summary>
internal sealed record ChangeSettled(Reconfigured Proxy, bool LinkIsDone, IReadOnlyList<InterfaceSettings> Interfaces, ChangeOutcome Outcome);

/// <summary>Asks the driver's parts to take other settings. It runs apart from the driver's actor, and only asks.</summary>
internal static class SettingsQuestions
{
    /// <summary>Apart from the actor: it only asks.</summary>
    /// <param name="allowed">What of the settings that are asked for the driver's parts get.</param>
    /// <param name="current">With the interfaces that there are now.</param>
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
