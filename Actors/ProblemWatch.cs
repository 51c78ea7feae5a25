using Akka.Actor;
using Akka.Event;
using Tapwire.Links.Protocol;
using Tapwire.Messages;

namespace Tapwire.Actors;

/// <summary>
/// Logs what needs an operator's attention (<see cref="StatusProblem"/>), and when it does not any more, each once. It looks at the driver's figures every few seconds; what is there in one look only is not worth a line.
/// </summary>
internal sealed class ProblemWatch : ReceiveActor, IWithTimers
{
    /// <summary>Lines of one look; what is beyond them is told by its number.</summary>
    internal const int MostLines = 16;

    /// <summary>Looks in a row without it after which something is over: what limits a connection changes all the time.</summary>
    internal const int OverAfter = 6;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly TimeSpan _every;

    // What has been there lately: in how many looks, and how many have not had it since.
    private readonly Dictionary<(string Cause, string Subject), (int Looks, int Without, bool IsLogged, string Text)> _known = [];

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
        var lines = 0;
        // Wires, and what those with peers say of them, are logged by their own actors, at once.
        var problems = StatusProblem.AllOf(status).Where(static problem => problem.Cause is not (StatusProblem.Wire or StatusProblem.Peer)).ToList();
        foreach (var problem in problems)
        {
            var key = (problem.Cause, problem.Subject);
            var (looks, _, isLogged, _) = _known.GetValueOrDefault(key);
            if (++looks >= 2 && !isLogged && lines++ < MostLines)
            {
                isLogged = true;
                _log.Info("Needs attention: {Problem}", problem.Text.TrimEnd('.'));
            }

            _known[key] = (looks, 0, isLogged, problem.Text);
        }

        var there = problems.Select(static problem => (problem.Cause, problem.Subject)).ToHashSet();
        foreach (var (key, known) in _known.Where(each => !there.Contains(each.Key)).ToList())
        {
            if (known.Without + 1 < OverAfter)
            {
                _known[key] = known with { Without = known.Without + 1 };
                continue;
            }

            _known.Remove(key);
            if (known.IsLogged && lines++ < MostLines)
                _log.Info("No more: {Problem}", known.Text.TrimEnd('.'));
        }

        if (lines > MostLines)
            _log.Info("{LeftOut} more lines of what needs attention, or does not any more: 'tapwire status' has what is now", lines - MostLines);
    }

    private sealed class Look : IDeadLetterSuppression
    {
        public static readonly Look Instance = new();
    }

    /// <param name="Status">Null: the driver has not answered.</param>
    private sealed record Seen(DriverStatus? Status) : IDeadLetterSuppression;
}
