using System.Runtime.CompilerServices;
using Akka.Actor;

namespace Akka.TestKit;

public abstract partial class TestKitBase
{
    /// <summary>The next message, which must equal one of those given; fails if it does not come in <see cref="RemainingOrDefault"/>.</summary>
    public T ExpectMsgAnyOf<T>(IEnumerable<T> messages, CancellationToken cancellationToken = default) =>
        Completed(ExpectAnyOfCore(true, messages, cancellationToken));

    /// <inheritdoc cref="ExpectMsgAnyOf"/>
    public ValueTask<T> ExpectMsgAnyOfAsync<T>(IEnumerable<T> messages, CancellationToken cancellationToken = default) =>
        ExpectAnyOfCore(false, messages, cancellationToken);

    /// <summary>As many messages as are given, which must be those, in any order; answers them in the order in which they came.</summary>
    public IReadOnlyCollection<T> ExpectMsgAllOf<T>(params T[] messages) => ExpectMsgAllOf((IReadOnlyCollection<T>)messages);

    /// <inheritdoc cref="ExpectMsgAllOf{T}(T[])"/>
    public IReadOnlyCollection<T> ExpectMsgAllOf<T>(IReadOnlyCollection<T> messages, CancellationToken cancellationToken = default) =>
        Collected(ExpectAllOfCore(true, RemainingOrDefault, messages, cancellationToken));

    /// <inheritdoc cref="ExpectMsgAllOf{T}(T[])"/>
    /// <param name="max">How long all together may take (dilated).</param>
    public IReadOnlyCollection<T> ExpectMsgAllOf<T>(TimeSpan max, params T[] messages) =>
        ExpectMsgAllOf(max, (IReadOnlyCollection<T>)messages);

    /// <inheritdoc cref="ExpectMsgAllOf{T}(TimeSpan, T[])"/>
    public IReadOnlyCollection<T> ExpectMsgAllOf<T>(
        TimeSpan max, IReadOnlyCollection<T> messages, CancellationToken cancellationToken = default) =>
        Collected(ExpectAllOfCore(true, Finite(max), messages, cancellationToken));

    /// <inheritdoc cref="ExpectMsgAllOf{T}(T[])"/>
    public IAsyncEnumerable<T> ExpectMsgAllOfAsync<T>(IReadOnlyCollection<T> messages, CancellationToken cancellationToken = default) =>
        ExpectAllOfCore(false, RemainingOrDefault, messages, cancellationToken);

    /// <inheritdoc cref="ExpectMsgAllOf{T}(TimeSpan, T[])"/>
    public IAsyncEnumerable<T> ExpectMsgAllOfAsync<T>(
        TimeSpan max, IReadOnlyCollection<T> messages, CancellationToken cancellationToken = default) =>
        ExpectAllOfCore(false, Finite(max), messages, cancellationToken);

    /// <summary>As many messages as predicates are given, each of which must match one of them, in any order.</summary>
    public IReadOnlyCollection<object> ExpectMsgAllOfMatchingPredicates(params PredicateInfo[] predicates) =>
        ExpectMsgAllOfMatchingPredicates(predicates, default(CancellationToken));

    /// <inheritdoc cref="ExpectMsgAllOfMatchingPredicates(PredicateInfo[])"/>
    public IReadOnlyCollection<object> ExpectMsgAllOfMatchingPredicates(
        IReadOnlyCollection<PredicateInfo> predicates, CancellationToken cancellationToken) =>
        Collected(ExpectAllMatchingCore(true, RemainingOrDefault, predicates, cancellationToken));

    /// <inheritdoc cref="ExpectMsgAllOfMatchingPredicates(PredicateInfo[])"/>
    /// <param name="max">How long all together may take (dilated).</param>
    public IReadOnlyCollection<object> ExpectMsgAllOfMatchingPredicates(TimeSpan max, params PredicateInfo[] predicates) =>
        ExpectMsgAllOfMatchingPredicates(max, predicates, default);

    /// <inheritdoc cref="ExpectMsgAllOfMatchingPredicates(TimeSpan, PredicateInfo[])"/>
    public IReadOnlyCollection<object> ExpectMsgAllOfMatchingPredicates(
        TimeSpan max, IReadOnlyCollection<PredicateInfo> predicates, CancellationToken cancellationToken) =>
        Collected(ExpectAllMatchingCore(true, Finite(max), predicates, cancellationToken));

    /// <inheritdoc cref="ExpectMsgAllOfMatchingPredicates(PredicateInfo[])"/>
    public IAsyncEnumerable<object> ExpectMsgAllOfMatchingPredicatesAsync(
        IReadOnlyCollection<PredicateInfo> predicates, CancellationToken cancellationToken = default) =>
        ExpectAllMatchingCore(false, RemainingOrDefault, predicates, cancellationToken);

    /// <inheritdoc cref="ExpectMsgAllOfMatchingPredicates(TimeSpan, PredicateInfo[])"/>
    public IAsyncEnumerable<object> ExpectMsgAllOfMatchingPredicatesAsync(
        TimeSpan max, IReadOnlyCollection<PredicateInfo> predicates, CancellationToken cancellationToken = default) =>
        ExpectAllMatchingCore(false, Finite(max), predicates, cancellationToken);

    private async ValueTask<T> ExpectAnyOfCore<T>(bool blocking, IEnumerable<T> messages, CancellationToken cancellationToken)
    {
        var expected = messages.ToList();
        var limit = RemainingOrDefault;
        var envelope = await Next(blocking, true, NotNegative(limit), cancellationToken);
        _assertions.AssertTrue(
            envelope is not NullMessageEnvelope, "Timeout {0} during waiting for ExpectMsgAnyOf waiting for ({1})", limit, string.Join(",", expected));
        _assertions.AssertTrue(
            envelope.Message is T message && expected.Contains(message), "ExpectMsgAnyOf found unexpected {0}", envelope.Message);
        return (T)envelope.Message;
    }

    private async IAsyncEnumerable<T> ExpectAllOfCore<T>(
        bool blocking, TimeSpan max, IReadOnlyCollection<T> messages, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var received = new List<object>();
        await foreach (var message in ReceiveNCore(blocking, messages.Count, max, cancellationToken))
            received.Add(message);
        var missing = messages.Where(wanted => !received.Exists(message => message is T && Equals(message, wanted))).ToList();
        var unexpected = received.Where(message => message is not T value || !messages.Contains(value)).ToList();
        CheckMissingAndUnexpected(missing, unexpected, "not found");
        foreach (var message in received)
            yield return (T)message;
    }

    private async IAsyncEnumerable<object> ExpectAllMatchingCore(
        bool blocking, TimeSpan max, IReadOnlyCollection<PredicateInfo> predicates, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var received = new List<object>();
        await foreach (var message in ReceiveNCore(blocking, predicates.Count, max, cancellationToken))
            received.Add(message);
        var missing = predicates.Where(predicate => !received.Exists(predicate.Matches)).ToList();
        var unexpected = received.Where(message => !predicates.Any(predicate => predicate.Matches(message))).ToList();
        CheckMissingAndUnexpected(missing, unexpected, "not matched");
        foreach (var message in received)
            yield return message;
    }

    private void CheckMissingAndUnexpected<T>(List<T> missing, List<object> unexpected, string what) =>
        _assertions.AssertTrue(
            missing.Count == 0 && unexpected.Count == 0, "{0} [{1}], found unexpected [{2}]",
            what, string.Join(", ", missing), string.Join(", ", unexpected));
}

/// <summary>A predicate on messages of one type.</summary>
public class PredicateInfo
{
    private PredicateInfo(Delegate predicateT, Type type)
    {
        PredicateT = predicateT;
        Type = type;
    }

    public Delegate PredicateT { get; }

    public Type Type { get; }

    public static PredicateInfo Create<T>(Predicate<T> predicateT) => new(predicateT, typeof(T));

    public override string ToString() => $"predicate on {Type}";

    internal static PredicateInfo Create<T>(Delegate predicateT) => new(predicateT, typeof(T));

    internal bool Matches(object message) => Type.IsInstanceOfType(message) && (bool)PredicateT.DynamicInvoke(message);
}

public static class PredicateInfoFactory
{
    public static PredicateInfo CreatePredicateInfo<T>(this Predicate<T> predicateT) => PredicateInfo.Create(predicateT);

    public static PredicateInfo CreatePredicateInfo<T>(this Delegate predicateT) => PredicateInfo.Create<T>(predicateT);
}
