using Akka.Event;
using Akka.TestKit.Internal.StringMatcher;

namespace Akka.TestKit.Internal
{
    public delegate void EventMatched(EventFilterBase eventFilter, LogEvent logEvent);

    /// <summary>A condition on log events: their kind, text and source.</summary>
    /// <param name="messageMatcher">Null for any text.</param>
    /// <param name="sourceMatcher">Null for any source.</param>
    public abstract class EventFilterBase(IStringMatcher messageMatcher, IStringMatcher sourceMatcher) : IEventFilter
    {
        public event EventMatched EventMatched;

        /// <summary>What kind of events it is about.</summary>
        protected abstract string FilterDescriptiveName { get; }

        public bool Apply(LogEvent logEvent)
        {
            if (!IsMatch(logEvent))
                return false;
            OnEventMatched(logEvent);
            return true;
        }

        public override string ToString()
        {
            var conditions = new List<string>();
            if (messageMatcher is not null)
                conditions.Add($" Message {messageMatcher}");
            if (sourceMatcher is not null)
                conditions.Add($" Source {sourceMatcher}");
            return FilterDescriptiveName + (conditions.Count > 0 ? " when" + string.Join(" and", conditions) : "");
        }

        protected abstract bool IsMatch(LogEvent evt);

        protected virtual void OnEventMatched(LogEvent logEvent) => EventMatched?.Invoke(this, logEvent);

        protected bool InternalDoMatch(string src, object msg) =>
            (sourceMatcher is null || sourceMatcher.IsMatch(src))
            && (messageMatcher is null || messageMatcher.IsMatch(msg?.ToString() ?? "null"));
    }

    public class DebugFilter(IStringMatcher messageMatcher = null, IStringMatcher sourceMatcher = null)
        : EventFilterBase(messageMatcher, sourceMatcher)
    {
        protected override string FilterDescriptiveName => "Debug";

        protected override bool IsMatch(LogEvent evt) => evt is Debug && InternalDoMatch(evt.LogSource, evt.Message);
    }

    public class InfoFilter(IStringMatcher messageMatcher = null, IStringMatcher sourceMatcher = null)
        : EventFilterBase(messageMatcher, sourceMatcher)
    {
        protected override string FilterDescriptiveName => "Info";

        protected override bool IsMatch(LogEvent evt) => evt is Info && InternalDoMatch(evt.LogSource, evt.Message);
    }

    public class WarningFilter(IStringMatcher messageMatcher = null, IStringMatcher sourceMatcher = null)
        : EventFilterBase(messageMatcher, sourceMatcher)
    {
        protected override string FilterDescriptiveName => "Warning";

        protected override bool IsMatch(LogEvent evt) => evt is Warning && InternalDoMatch(evt.LogSource, evt.Message);
    }

    /// <summary>Errors, of any cause or caused by one type of exception. The text may be that of the event or of the cause.</summary>
    public class ErrorFilter : EventFilterBase
    {
        private readonly Type _exceptionType;
        private readonly bool _recurseInnerExceptions;

        public ErrorFilter(IStringMatcher messageMatcher = null, IStringMatcher sourceMatcher = null)
            : this(null, messageMatcher, sourceMatcher)
        {
        }

        public ErrorFilter(
            Type exceptionType, IStringMatcher messageMatcher = null, IStringMatcher sourceMatcher = null, bool recurseInnerExceptions = false)
            : base(messageMatcher, sourceMatcher)
        {
            if (exceptionType is not null && !typeof(Exception).IsAssignableFrom(exceptionType))
                throw new ArgumentException($"The type must be an exception. It was: {exceptionType}", nameof(exceptionType));
            _exceptionType = exceptionType;
            _recurseInnerExceptions = recurseInnerExceptions;
        }

        protected override string FilterDescriptiveName => _exceptionType is null ? "Error" : $"Error with Cause <{_exceptionType}>";

        protected override bool IsMatch(LogEvent evt) => evt is Error && IsMatch(evt.LogSource, evt.Message, evt.Cause);

        private bool IsMatch(string source, object text, Exception cause)
        {
            if (cause is null)
                return _exceptionType is null && InternalDoMatch(source, text);
            var matches = (_exceptionType is null || _exceptionType.IsInstanceOfType(cause))
                && ((text is null && string.IsNullOrEmpty(cause.Message)) || InternalDoMatch(source, text) || InternalDoMatch(source, cause.Message));
            return matches || (_recurseInnerExceptions && IsMatch(source, text, cause.InnerException));
        }
    }

    public class CustomEventFilter(Predicate<LogEvent> predicate) : EventFilterBase(null, null)
    {
        protected override string FilterDescriptiveName => "Custom";

        protected override bool IsMatch(LogEvent evt) => predicate(evt);
    }
}

namespace Akka.TestKit
{
    /// <summary>Dead letters that match.</summary>
    /// <param name="isMatch">Null for any.</param>
    public sealed class DeadLettersFilter(IStringMatcher messageMatcher, IStringMatcher sourceMatcher, Predicate<DeadLetter> isMatch = null)
        : Internal.EventFilterBase(messageMatcher, sourceMatcher)
    {
        protected override string FilterDescriptiveName => "DeadLetter";

        protected override bool IsMatch(LogEvent evt) =>
            evt is Warning { Message: DeadLetter letter } && (isMatch is null || isMatch(letter)) && InternalDoMatch(evt.LogSource, letter.Message);
    }
}
