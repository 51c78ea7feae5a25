using Akka.Actor;
using Akka.Event;
using Tapwire.Links.Protocol;
using Tapwire.Messages;

namespace Tapwire.Actors;

/// <summary>
/// Logs what needs an operator's attention (<see cref="StatusProblem"/>), and when it does not any more, each once; and the handshakes of WireGuard's peers. It looks at the driver's figures every few seconds; what is there
/// in one look only is not worth a line.
/// </summary>
internal sealed class ProblemWatch : ReceiveActor, IWithTimers
{
    /// <summary>Lines of one look; what is beyond them is told by its number.</summary>
    internal const int MostLines = 16;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly TimeSpan _every;

    // What is there, with how many looks in a row have it, or how many have not: below 0.
    private readonly Dictionary<(string Cause, string Subject), (int Looks, bool IsLogged, string Text)> _known = [];
    private readonly Dictionary<(string Wire, string Key), bool> _peers = [];

    public ProblemWatch(TimeSpan every)
    {
        _every = every;
        Receive<Look>(_ => Context.Parent.Ask<DriverStatus>(GetStatus.Figures, Patience).PipeTo(Self, Self, static status => new Seen(status), static _ => new Seen(null)));
        Receive<Seen>(seen =>
        {
            if (seen.Status is { } status)
                Take(status);
            Timers.StartSingleTimer(Look.Instance, Look.Instance, _every);
        });
        Receive<Stopping>(_ => Context.Stop(Self));
    }

    public ITimerScheduler Timers { get; set; } = null!;

    public static Props Props(TimeSpan every) => Akka.Actor.Props.Create(() => new ProblemWatch(every));

    protected override void PreStart() => Timers.StartSingleTimer(Look.Instance, Look.Instance, _every);

    private void Take(DriverStatus status)
    {
        TakePeers(status);
        var lines = 0;
        // Wires are logged by their own actors, at once.
        var problems = StatusProblem.AllOf(status).Where(static problem => problem.Cause != StatusProblem.Wire).ToList();
        foreach (var problem in problems)
        {
            var key = (problem.Cause, problem.Subject);
            var (looks, isLogged, _) = _known.GetValueOrDefault(key);
            looks = Math.Max(looks, 0) + 1;
            if (looks >= 2 && !isLogged && lines++ < MostLines)
            {
                isLogged = true;
                _log.Info("Needs attention: {Problem}", problem.Text.TrimEnd('.'));
            }

            _known[key] = (looks, isLogged, problem.Text);
        }

        var there = problems.Select(static problem => (problem.Cause, problem.Subject)).ToHashSet();
        foreach (var (key, (looks, isLogged, text)) in _known.Where(each => !there.Contains(each.Key)).ToList())
        {
            if (isLogged && looks > -1)
            {
                _known[key] = (Math.Min(looks, 0) - 1, true, text);
                continue;
            }

            _known.Remove(key);
            if (isLogged && lines++ < MostLines)
                _log.Info("No more: {Problem}", text.TrimEnd('.'));
        }

        if (lines > MostLines)
            _log.Info("{LeftOut} more lines of what needs attention, or does not any more: 'tapwire status' has what is now", lines - MostLines);
    }

    private void TakePeers(DriverStatus status)
    {
        foreach (var each in status.Interfaces)
        {
            foreach (var peer in each.Wire.Peers)
            {
                var key = (each.Name, peer.PublicKey);
                if (peer.SinceHandshake is null || _peers.GetValueOrDefault(key))
                    continue;
                _peers[key] = true;
                _log.Info("First handshake with WireGuard peer {Peer} on {Interface}", peer.PublicKey, each.Name);
            }
        }
    }

    private sealed class Look : IDeadLetterSuppression
    {
        public static readonly Look Instance = new();
    }

    /// <param name="Status">Null: the driver has not answered.</param>
    private sealed record Seen(DriverStatus? Status) : IDeadLetterSuppression;
}
