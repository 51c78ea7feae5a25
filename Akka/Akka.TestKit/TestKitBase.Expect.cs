using Akka.Actor;

namespace Akka.TestKit;

public abstract partial class TestKitBase
{
    /// <summary>The next message, which must be a <typeparamref name="T"/>; fails if it is none, or does not come in time.</summary>
    /// <param name="duration">The time (dilated); <see cref="RemainingOrDefault"/> if it is not given.</param>
    /// <param name="hint">Added to the failure's text.</param>
    public T ExpectMsg<T>(TimeSpan? duration = null, string hint = null, CancellationToken cancellationToken = default) =>
        Completed(Expect<T>(true, duration, null, hint, cancellationToken));

    /// <summary>The next message, which must equal the one given; else as the other overloads.</summary>
    public T ExpectMsg<T>(T message, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Completed(Expect(true, timeout, Equals(message), hint, cancellationToken));

    /// <summary>The next message, which must match; else as the other overloads.</summary>
    public T ExpectMsg<T>(Predicate<T> isMessage, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Completed(Expect(true, timeout, Matches(isMessage, hint), hint, cancellationToken));

    /// <summary>The next message, which the assertion must accept; else as the other overloads.</summary>
    public T ExpectMsg<T>(Action<T> assert, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Completed(Expect(true, timeout, Ignoring(assert), hint, cancellationToken));

    /// <summary>The next message, which must match with its sender; else as the other overloads.</summary>
    public T ExpectMsg<T>(
        Func<T, IActorRef, bool> isMessageAndSender, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Completed(Expect(true, timeout, Matches(isMessageAndSender, hint), hint, cancellationToken));

    /// <summary>The next message, which the assertion must accept with its sender; else as the other overloads.</summary>
    public T ExpectMsg<T>(
        Action<T, IActorRef> assertMessageAndSender, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Completed(Expect(true, timeout, assertMessageAndSender, hint, cancellationToken));

    /// <summary>The next message, which must equal the one given in the eyes of the comparer; else as the other overloads.</summary>
    public T ExpectMsg<T>(
        T expected, Func<T, T, bool> comparer, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Completed(Expect(true, timeout, Equals(expected, comparer, hint), hint, cancellationToken));

    /// <inheritdoc cref="ExpectMsg{T}(TimeSpan?, string, CancellationToken)"/>
    public ValueTask<T> ExpectMsgAsync<T>(TimeSpan? duration = null, string hint = null, CancellationToken cancellationToken = default) =>
        Expect<T>(false, duration, null, hint, cancellationToken);

    /// <inheritdoc cref="ExpectMsg{T}(T, TimeSpan?, string, CancellationToken)"/>
    public ValueTask<T> ExpectMsgAsync<T>(
        T message, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Expect(false, timeout, Equals(message), hint, cancellationToken);

    /// <inheritdoc cref="ExpectMsg{T}(Predicate{T}, TimeSpan?, string, CancellationToken)"/>
    public ValueTask<T> ExpectMsgAsync<T>(
        Predicate<T> isMessage, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Expect(false, timeout, Matches(isMessage, hint), hint, cancellationToken);

    /// <inheritdoc cref="ExpectMsg{T}(Action{T}, TimeSpan?, string, CancellationToken)"/>
    public ValueTask<T> ExpectMsgAsync<T>(
        Action<T> assert, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Expect(false, timeout, Ignoring(assert), hint, cancellationToken);

    /// <inheritdoc cref="ExpectMsg{T}(Func{T, IActorRef, bool}, TimeSpan?, string, CancellationToken)"/>
    public ValueTask<T> ExpectMsgAsync<T>(
        Func<T, IActorRef, bool> isMessageAndSender, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Expect(false, timeout, Matches(isMessageAndSender, hint), hint, cancellationToken);

    /// <inheritdoc cref="ExpectMsg{T}(Action{T, IActorRef}, TimeSpan?, string, CancellationToken)"/>
    public ValueTask<T> ExpectMsgAsync<T>(
        Action<T, IActorRef> assertMessageAndSender, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Expect(false, timeout, assertMessageAndSender, hint, cancellationToken);

    /// <inheritdoc cref="ExpectMsg{T}(T, Func{T, T, bool}, TimeSpan?, string, CancellationToken)"/>
    public ValueTask<T> ExpectMsgAsync<T>(
        T expected, Func<T, T, bool> comparer, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Expect(false, timeout, Equals(expected, comparer, hint), hint, cancellationToken);

    /// <summary>The next message, which must be the <see cref="Terminated"/> of the actor; <see cref="Watch"/> it first.</summary>
    /// <inheritdoc cref="ExpectMsg{T}(TimeSpan?, string, CancellationToken)"/>
    public Terminated ExpectTerminated(
        IActorRef target, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Completed(Expect(true, timeout, IsTerminated(target, hint), hint, cancellationToken));

    /// <inheritdoc cref="ExpectTerminated"/>
    public ValueTask<Terminated> ExpectTerminatedAsync(
        IActorRef target, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Expect(false, timeout, IsTerminated(target, hint), hint, cancellationToken);

    /// <summary>Fails if a message comes in <see cref="RemainingOrDefault"/>.</summary>
    public void ExpectNoMsg(CancellationToken cancellationToken = default) =>
        Completed(ExpectNothing(true, RemainingOrDefault, cancellationToken));

    /// <summary>Fails if a message comes in the time (dilated).</summary>
    public void ExpectNoMsg(TimeSpan duration, CancellationToken cancellationToken = default) =>
        Completed(ExpectNothing(true, Dilated(duration), cancellationToken));

    /// <inheritdoc cref="ExpectNoMsg(TimeSpan, CancellationToken)"/>
    public void ExpectNoMsg(int milliseconds, CancellationToken cancellationToken = default) =>
        ExpectNoMsg(TimeSpan.FromMilliseconds(milliseconds), cancellationToken);

    /// <inheritdoc cref="ExpectNoMsg(CancellationToken)"/>
    public async ValueTask ExpectNoMsgAsync(CancellationToken cancellationToken = default) =>
        await ExpectNothing(false, RemainingOrDefault, cancellationToken);

    /// <inheritdoc cref="ExpectNoMsg(TimeSpan, CancellationToken)"/>
    public async ValueTask ExpectNoMsgAsync(TimeSpan duration, CancellationToken cancellationToken = default) =>
        await ExpectNothing(false, Dilated(duration), cancellationToken);

    /// <inheritdoc cref="ExpectNoMsg(TimeSpan, CancellationToken)"/>
    public ValueTask ExpectNoMsgAsync(int milliseconds, CancellationToken cancellationToken = default) =>
        ExpectNoMsgAsync(TimeSpan.FromMilliseconds(milliseconds), cancellationToken);

    private async ValueTask<T> Expect<T>(
        bool blocking, TimeSpan? timeout, Action<T, IActorRef> assert, string hint, CancellationToken cancellationToken)
    {
        var limit = RemainingOrDilated(timeout);
        var envelope = await Next(blocking, true, NotNegative(limit), cancellationToken);
        if (envelope is NullMessageEnvelope)
            _assertions.Fail("Failed: Timeout {0} while waiting for a message of type {1} {2}", limit, typeof(T), hint ?? "");
        if (envelope.Message is not T message)
        {
            _assertions.Fail(
                "Failed: Expected a message of type {0}, but received {{{2}}} (type {1}) instead {3} from {4}",
                typeof(T), envelope.Message.GetType(), envelope.Message, hint ?? "", envelope.Sender);
            return default;
        }
        assert?.Invoke(message, envelope.Sender);
        return message;
    }

    private async ValueTask<bool> ExpectNothing(bool blocking, TimeSpan duration, CancellationToken cancellationToken)
    {
        var start = Clock;
        var envelope = await Next(blocking, true, NotNegative(duration), cancellationToken);
        if (envelope is not NullMessageEnvelope)
            _assertions.Fail("Failed: Expected no messages during {0}, instead we received {1} after {2}", duration, envelope, Clock - start);
        _lastWasNoMsg = true;
        return true;
    }

    private static TimeSpan NotNegative(TimeSpan duration) => duration > TimeSpan.Zero ? duration : TimeSpan.Zero;

    private Action<T, IActorRef> Equals<T>(T expected) => (message, _) => _assertions.AssertEqual(expected, message);

    private Action<T, IActorRef> Equals<T>(T expected, Func<T, T, bool> comparer, string hint) =>
        (message, _) => _assertions.AssertEqual(expected, message, comparer, "{0}", hint ?? "");

    private Action<T, IActorRef> Matches<T>(Predicate<T> isMessage, string hint) => (message, _) => _assertions.AssertTrue(
        isMessage(message), "Got a message of the expected type <{2}>. Also expected {0} but the message {{{1}}} of type <{3}> did not match",
        hint ?? "the predicate to return true", message, typeof(T).FullName, message.GetType().FullName);

    private Action<T, IActorRef> Matches<T>(Func<T, IActorRef, bool> isMessageAndSender, string hint) => (message, sender) => _assertions.AssertTrue(
        isMessageAndSender(message, sender),
        "Got a message of the expected type <{2}> from {4}. Also expected {0} but the message {{{1}}} of type <{3}> did not match",
        hint ?? "the predicate to return true", message, typeof(T).FullName, message.GetType().FullName, sender);

    private Action<Terminated, IActorRef> IsTerminated(IActorRef target, string hint) => (terminated, _) =>
        _assertions.AssertEqual(target, terminated.ActorRef, "Terminated {0}. {1}", target, hint ?? "");

    private static Action<T, IActorRef> Ignoring<T>(Action<T> assert) => assert is null ? null : (message, _) => assert(message);
}
