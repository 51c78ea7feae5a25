namespace Akka.Actor
{
    /// <summary>
    /// The timers of one actor. They send it messages, by keys, and end with the instance. A message of a timer that has been cancelled or
    /// started anew is never delivered, even if it is in the mailbox already.
    /// </summary>
    public interface ITimerScheduler
    {
        void StartPeriodicTimer(object key, object msg, TimeSpan interval);

        void StartPeriodicTimer(object key, object msg, TimeSpan initialDelay, TimeSpan interval);

        void StartSingleTimer(object key, object msg, TimeSpan timeout);

        bool IsTimerActive(object key);

        void Cancel(object key);

        void CancelAll();
    }

    /// <summary>An actor with timers, which the runtime gives it after its constructor has run.</summary>
    public interface IWithTimers
    {
        ITimerScheduler Timers { get; set; }
    }
}

namespace Akka.Actor.Scheduler
{
    internal sealed class TimerScheduler : ITimerScheduler
    {
        private readonly ActorCell _cell;
        private readonly Dictionary<object, Timer> _timers = [];
        private int _generation;

        public TimerScheduler(ActorCell cell) => _cell = cell;

        public void StartPeriodicTimer(object key, object msg, TimeSpan interval) => StartPeriodicTimer(key, msg, interval, interval);

        public void StartPeriodicTimer(object key, object msg, TimeSpan initialDelay, TimeSpan interval)
        {
            var tick = Begin(key, msg);
            _timers[key] = new Timer(
                tick,
                Repeats: true,
                _cell.System.Scheduler.ScheduleTellRepeatedlyCancelable(initialDelay, interval, _cell.Self, tick, ActorRefs.NoSender));
        }

        public void StartSingleTimer(object key, object msg, TimeSpan timeout)
        {
            var tick = Begin(key, msg);
            _timers[key] = new Timer(
                tick,
                Repeats: false,
                _cell.System.Scheduler.ScheduleTellOnceCancelable(timeout, _cell.Self, tick, ActorRefs.NoSender));
        }

        public bool IsTimerActive(object key) => _timers.ContainsKey(key);

        public void Cancel(object key)
        {
            if (_timers.Remove(key, out var timer))
                timer.Task.Cancel();
        }

        public void CancelAll()
        {
            foreach (var timer in _timers.Values)
                timer.Task.Cancel();
            _timers.Clear();
        }

        /// <summary>The message of a timer, or null when the timer has been cancelled or started anew since.</summary>
        public object Intercept(TimerMessage tick)
        {
            if (!_timers.TryGetValue(tick.Key, out var timer) || !ReferenceEquals(timer.Tick, tick))
                return null;
            if (!timer.Repeats)
                _timers.Remove(tick.Key);
            return tick.Message;
        }

        private TimerMessage Begin(object key, object msg)
        {
            Cancel(key);
            _generation++;
            return msg is INotInfluenceReceiveTimeout ? new QuietTimerMessage(key, _generation, msg) : new TimerMessage(key, _generation, msg);
        }

        private sealed record Timer(TimerMessage Tick, bool Repeats, ICancelable Task);

        /// <summary>What the scheduler sends: one instance per start of a timer, so that the instance tells the generations apart.</summary>
        internal class TimerMessage : IWrappedMessage, INoSerializationVerificationNeeded
        {
            private readonly int _generation;

            public TimerMessage(object key, int generation, object message)
            {
                Key = key;
                _generation = generation;
                Message = message;
            }

            public object Key { get; }

            public object Message { get; }

            public override string ToString() => $"TimerMsg(key={Key}, generation={_generation}, message={Message})";
        }

        private sealed class QuietTimerMessage : TimerMessage, INotInfluenceReceiveTimeout
        {
            public QuietTimerMessage(object key, int generation, object message) : base(key, generation, message) { }
        }
    }
}
