using Akka.Actor;

namespace Akka.TestKit;

public abstract partial class TestKitBase
{
    /// <summary>The next message, which must be a <typeparamref name="T"/> from the sender; else as <c>ExpectMsg</c>.</summary>
    public T ExpectMsgFrom<T>(IActorRef sender, TimeSpan? duration = null, string hint = null, CancellationToken cancellationToken = default) =>
        Completed(Expect(true, duration, From<T>(sender), hint, cancellationToken));

    /// <summary>The next message, which must equal the one given and come from the sender; else as <c>ExpectMsg</c>.</summary>
    public T ExpectMsgFrom<T>(
        IActorRef sender, T message, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Completed(Expect(true, timeout, From<T>(sender) + Equals(message), hint, cancellationToken));

    /// <summary>The next message, which must match and come from the sender; else as <c>ExpectMsg</c>.</summary>
    public T ExpectMsgFrom<T>(
        IActorRef sender, Predicate<T> isMessage, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Completed(Expect(true, timeout, From<T>(sender) + Matches(isMessage, hint), hint, cancellationToken));

    /// <summary>The next message, which must match, as must its sender; else as <c>ExpectMsg</c>.</summary>
    public T ExpectMsgFrom<T>(
        Predicate<IActorRef> isSender, Predicate<T> isMessage, TimeSpan? timeout = null, string hint = null,
        CancellationToken cancellationToken = default) =>
        Completed(Expect(true, timeout, From<T>(isSender, hint) + Matches(isMessage, hint), hint, cancellationToken));

    /// <summary>The next message, which must come from the sender and the assertion must accept; else as <c>ExpectMsg</c>.</summary>
    public T ExpectMsgFrom<T>(
        IActorRef sender, Action<T> assertMessage, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Completed(Expect(true, timeout, From<T>(sender) + Ignoring(assertMessage), hint, cancellationToken));

    /// <summary>The next message, which its assertion must accept, as must that of its sender; else as <c>ExpectMsg</c>.</summary>
    public T ExpectMsgFrom<T>(
        Action<IActorRef> assertSender, Action<T> assertMessage, TimeSpan? timeout = null, string hint = null,
        CancellationToken cancellationToken = default) =>
        Completed(Expect(true, timeout, From<T>(assertSender) + Ignoring(assertMessage), hint, cancellationToken));

    /// <inheritdoc cref="ExpectMsgFrom{T}(IActorRef, TimeSpan?, string, CancellationToken)"/>
    public ValueTask<T> ExpectMsgFromAsync<T>(
        IActorRef sender, TimeSpan? duration = null, string hint = null, CancellationToken cancellationToken = default) =>
        Expect(false, duration, From<T>(sender), hint, cancellationToken);

    /// <inheritdoc cref="ExpectMsgFrom{T}(IActorRef, T, TimeSpan?, string, CancellationToken)"/>
    public ValueTask<T> ExpectMsgFromAsync<T>(
        IActorRef sender, T message, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Expect(false, timeout, From<T>(sender) + Equals(message), hint, cancellationToken);

    /// <inheritdoc cref="ExpectMsgFrom{T}(IActorRef, Predicate{T}, TimeSpan?, string, CancellationToken)"/>
    public ValueTask<T> ExpectMsgFromAsync<T>(
        IActorRef sender, Predicate<T> isMessage, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Expect(false, timeout, From<T>(sender) + Matches(isMessage, hint), hint, cancellationToken);

    /// <inheritdoc cref="ExpectMsgFrom{T}(Predicate{IActorRef}, Predicate{T}, TimeSpan?, string, CancellationToken)"/>
    public ValueTask<T> ExpectMsgFromAsync<T>(
        Predicate<IActorRef> isSender, Predicate<T> isMessage, TimeSpan? timeout = null, string hint = null,
        CancellationToken cancellationToken = default) =>
        Expect(false, timeout, From<T>(isSender, hint) + Matches(isMessage, hint), hint, cancellationToken);

    /// <inheritdoc cref="ExpectMsgFrom{T}(IActorRef, Action{T}, TimeSpan?, string, CancellationToken)"/>
    public ValueTask<T> ExpectMsgFromAsync<T>(
        IActorRef sender, Action<T> assertMessage, TimeSpan? timeout = null, string hint = null, CancellationToken cancellationToken = default) =>
        Expect(false, timeout, From<T>(sender) + Ignoring(assertMessage), hint, cancellationToken);

    /// <inheritdoc cref="ExpectMsgFrom{T}(Action{IActorRef}, Action{T}, TimeSpan?, string, CancellationToken)"/>
    public ValueTask<T> ExpectMsgFromAsync<T>(
        Action<IActorRef> assertSender, Action<T> assertMessage, TimeSpan? timeout = null, string hint = null,
        CancellationToken cancellationToken = default) =>
        Expect(false, timeout, From<T>(assertSender) + Ignoring(assertMessage), hint, cancellationToken);

    private Action<T, IActorRef> From<T>(IActorRef expected) => (message, sender) =>
        _assertions.AssertEqual(expected, sender, "Expected the message {{{0}}} to come from {1}, but it came from {2}", message, expected, sender);

    private Action<T, IActorRef> From<T>(Predicate<IActorRef> isSender, string hint) => (message, sender) =>
        _assertions.AssertTrue(isSender(sender), "The sender {0} of the message {{{1}}} did not match. {2}", sender, message, hint ?? "");

    private static Action<T, IActorRef> From<T>(Action<IActorRef> assertSender) => (_, sender) => assertSender(sender);
}
