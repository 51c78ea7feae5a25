using Akka.Actor;
using Akka.Event;

namespace Tapwire.Actors;

/// <summary>
/// Logs events that peers and applications can cause as often as they like: one line a second for each kind, with the number of lines left out before it. A
/// flood must not be able to fill the log as well. The actors of one dispatcher may share one.
/// </summary>
internal sealed class RefusalLog(ITimeProvider clock)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    // Keyed by template, of which the code has a handful.
    private readonly Dictionary<string, Kind> _kinds = [];

    /// <param name="template">A constant, without the full stop at its end.</param>
    public void Warn(ILoggingAdapter log, string template, params object[] values) => Log(log, LogLevel.WarningLevel, template, values);

    /// <inheritdoc cref="Warn"/>
    public void Inform(ILoggingAdapter log, string template, params object[] values) => Log(log, LogLevel.InfoLevel, template, values);

    private void Log(ILoggingAdapter log, LogLevel level, string template, object[] values)
    {
        if (!_kinds.TryGetValue(template, out var kind))
            _kinds[template] = kind = new Kind();
        var now = clock.MonotonicClock;
        if (now < kind.Next)
        {
            kind.LeftOut++;
            return;
        }

        kind.Next = now + Pause;
        if (kind.LeftOut == 0)
            log.Log(level, template, values);
        else
            log.Log(level, template + "; {LeftOut} more before", [.. values, kind.LeftOut]);
        kind.LeftOut = 0;
    }

    private sealed class Kind
    {
        public TimeSpan Next { get; set; } = TimeSpan.MinValue;

        public long LeftOut { get; set; }
    }
}
