using System.Text.RegularExpressions;
using Akka.Actor;
using Akka.Event;
using Akka.TestKit.Internal;
using Akka.TestKit.Internal.StringMatcher;

namespace Akka.TestKit;

/// <summary>
/// Makes filters of log events. Of <c>message</c> (the whole text), <c>start</c> and <c>contains</c> the first one given counts; none matches
/// every text. <c>source</c> is the log source or an actor's path, with or without address; null for any.
/// </summary>
public class EventFilterFactory
{
    private readonly TestKitBase _testkit;
    private readonly ActorSystem _system;
    private readonly IReadOnlyList<EventFilterBase> _filters;

    public EventFilterFactory(TestKitBase testkit)
        : this(testkit, testkit.Sys)
    {
    }

    public EventFilterFactory(TestKitBase testkit, ActorSystem system)
        : this(testkit, system, [])
    {
    }

    /// <param name="filters">The filters to which the next one is added.</param>
    public EventFilterFactory(TestKitBase testkit, ActorSystem actorSystem, IReadOnlyList<EventFilterBase> filters)
    {
        _testkit = testkit;
        _system = actorSystem;
        _filters = filters;
    }

    public IEventFilterApplier Debug(string message = null, string start = null, string contains = null, string source = null) =>
        Create(new DebugFilter(CreateMessageMatcher(message, start, contains), Source(source)));

    public IEventFilterApplier Debug(Regex pattern, string source = null) => Create(new DebugFilter(new RegexMatcher(pattern), Source(source)));

    public IEventFilterApplier Info(string message = null, string start = null, string contains = null, string source = null) =>
        Create(new InfoFilter(CreateMessageMatcher(message, start, contains), Source(source)));

    public IEventFilterApplier Info(Regex pattern, string source = null) => Create(new InfoFilter(new RegexMatcher(pattern), Source(source)));

    public IEventFilterApplier Warning(string message = null, string start = null, string contains = null, string source = null) =>
        Create(new WarningFilter(CreateMessageMatcher(message, start, contains), Source(source)));

    public IEventFilterApplier Warning(Regex pattern, string source = null) => Create(new WarningFilter(new RegexMatcher(pattern), Source(source)));

    public IEventFilterApplier Error(string message = null, string start = null, string contains = null, string source = null) =>
        Create(new ErrorFilter(CreateMessageMatcher(message, start, contains), Source(source)));

    public IEventFilterApplier Error(Regex pattern, string source = null) => Create(new ErrorFilter(new RegexMatcher(pattern), Source(source)));

    /// <summary>Errors caused by a <typeparamref name="TException"/>. The text is that of the event or of the exception.</summary>
    public IEventFilterApplier Exception<TException>(string message = null, string start = null, string contains = null, string source = null)
        where TException : Exception => Exception(typeof(TException), message, start, contains, source);

    /// <inheritdoc cref="Exception{TException}(string, string, string, string)"/>
    public IEventFilterApplier Exception<TException>(Regex pattern, string source = null)
        where TException : Exception => Exception(typeof(TException), pattern, source);

    /// <inheritdoc cref="Exception{TException}(string, string, string, string)"/>
    /// <param name="checkInnerExceptions">Whether an exception inside of the cause counts, too.</param>
    public IEventFilterApplier Exception(
        Type exceptionType, string message = null, string start = null, string contains = null, string source = null,
        bool checkInnerExceptions = false) =>
        Create(new ErrorFilter(exceptionType, CreateMessageMatcher(message, start, contains), Source(source), checkInnerExceptions));

    /// <inheritdoc cref="Exception(Type, string, string, string, string, bool)"/>
    public IEventFilterApplier Exception(Type exceptionType, Regex pattern, string source = null, bool checkInnerExceptions = false) =>
        Create(new ErrorFilter(exceptionType, new RegexMatcher(pattern), Source(source), checkInnerExceptions));

    public IEventFilterApplier Custom(Predicate<LogEvent> predicate) => Create(new CustomEventFilter(predicate));

    public IEventFilterApplier Custom<TLogEvent>(Predicate<TLogEvent> predicate)
        where TLogEvent : LogEvent => Custom(logEvent => logEvent is TLogEvent wanted && predicate(wanted));

    public IEventFilterApplier ForLogLevel(
        LogLevel logLevel, string message = null, string start = null, string contains = null, string source = null) => logLevel switch
    {
        LogLevel.DebugLevel => Debug(message, start, contains, source),
        LogLevel.InfoLevel => Info(message, start, contains, source),
        LogLevel.WarningLevel => Warning(message, start, contains, source),
        LogLevel.ErrorLevel => Error(message, start, contains, source),
        _ => throw new ArgumentOutOfRangeException(nameof(logLevel), $"Unknown {nameof(LogLevel)} value: {logLevel}"),
    };

    public IEventFilterApplier ForLogLevel(LogLevel logLevel, Regex pattern, string source = null) => logLevel switch
    {
        LogLevel.DebugLevel => Debug(pattern, source),
        LogLevel.InfoLevel => Info(pattern, source),
        LogLevel.WarningLevel => Warning(pattern, source),
        LogLevel.ErrorLevel => Error(pattern, source),
        _ => throw new ArgumentOutOfRangeException(nameof(logLevel), $"Unknown {nameof(LogLevel)} value: {logLevel}"),
    };

    /// <summary>Dead letters of any kind.</summary>
    public IEventFilterApplier DeadLetter() => Create(new DeadLettersFilter(null, null));

    /// <param name="source">The path of the actor that the letter was meant for.</param>
    public IEventFilterApplier DeadLetter<TMessage>(string source = null) => DeadLetter(letter => letter.Message is TMessage, source);

    /// <inheritdoc cref="DeadLetter{TMessage}(string)"/>
    public IEventFilterApplier DeadLetter<TMessage>(Func<TMessage, bool> isMatch, string source = null) =>
        DeadLetter(letter => letter.Message is TMessage message && isMatch(message), source);

    /// <inheritdoc cref="DeadLetter{TMessage}(string)"/>
    public IEventFilterApplier DeadLetter(Type type, string source = null) => DeadLetter(letter => type.IsInstanceOfType(letter.Message), source);

    /// <inheritdoc cref="DeadLetter{TMessage}(string)"/>
    public IEventFilterApplier DeadLetter(Type type, Func<object, bool> isMatch, string source = null) =>
        DeadLetter(letter => type.IsInstanceOfType(letter.Message) && isMatch(letter.Message), source);

    protected static IStringMatcher CreateMessageMatcher(string message, string start, string contains) =>
        message is not null ? new EqualsString(message)
        : start is not null ? new StartsWithString(start)
        : contains is not null ? new ContainsString(contains)
        : null;

    protected IEventFilterApplier CreateApplier(EventFilterBase filter, ActorSystem system) =>
        new InternalEventFilterApplier(_testkit, system, [.. _filters, filter]);

    private IEventFilterApplier Create(EventFilterBase filter) => CreateApplier(filter, _system);

    private IEventFilterApplier DeadLetter(Predicate<DeadLetter> isMatch, string source) =>
        Create(new DeadLettersFilter(null, Source(source), isMatch));

    private static EqualsStringAndPathMatcher Source(string source) => source is null ? null : new EqualsStringAndPathMatcher(source);
}
