using System.Collections;

namespace Akka.TestKit;

public abstract partial class TestKitBase
{
    /// <inheritdoc cref="FishForMessage{T}(Predicate{T}, ArrayList, TimeSpan?, string, CancellationToken)"/>
    public object FishForMessage(
        Predicate<object> isMessage, TimeSpan? max = null, string hint = "", CancellationToken cancellationToken = default) =>
        FishForMessage<object>(isMessage, null, max, hint, cancellationToken);

    /// <inheritdoc cref="FishForMessage{T}(Predicate{T}, ArrayList, TimeSpan?, string, CancellationToken)"/>
    public T FishForMessage<T>(
        Predicate<T> isMessage, TimeSpan? max = null, string hint = "", CancellationToken cancellationToken = default) =>
        FishForMessage(isMessage, null, max, hint, cancellationToken);

    /// <summary>The next message that is a <typeparamref name="T"/> and matches; those before it are thrown away. Fails if it does not come in time.</summary>
    /// <param name="allMessages">Cleared, then filled with what was thrown away; null if nobody wants it.</param>
    /// <param name="max">The time (dilated); <see cref="RemainingOrDefault"/> if it is not given.</param>
    public T FishForMessage<T>(
        Predicate<T> isMessage, ArrayList allMessages, TimeSpan? max = null, string hint = "", CancellationToken cancellationToken = default) =>
        Completed(FishCore(true, isMessage, allMessages, max, hint, cancellationToken));

    /// <inheritdoc cref="FishForMessage{T}(Predicate{T}, ArrayList, TimeSpan?, string, CancellationToken)"/>
    public ValueTask<object> FishForMessageAsync(
        Predicate<object> isMessage, TimeSpan? max = null, string hint = "", CancellationToken cancellationToken = default) =>
        FishForMessageAsync<object>(isMessage, null, max, hint, cancellationToken);

    /// <inheritdoc cref="FishForMessage{T}(Predicate{T}, ArrayList, TimeSpan?, string, CancellationToken)"/>
    public ValueTask<T> FishForMessageAsync<T>(
        Predicate<T> isMessage, TimeSpan? max = null, string hint = "", CancellationToken cancellationToken = default) =>
        FishForMessageAsync(isMessage, null, max, hint, cancellationToken);

    /// <inheritdoc cref="FishForMessage{T}(Predicate{T}, ArrayList, TimeSpan?, string, CancellationToken)"/>
    public ValueTask<T> FishForMessageAsync<T>(
        Predicate<T> isMessage, ArrayList allMessages, TimeSpan? max = null, string hint = "", CancellationToken cancellationToken = default) =>
        FishCore(false, isMessage, allMessages, max, hint, cancellationToken);

    /// <summary>Throws messages away until the time is over; fails if one of them is a <typeparamref name="T"/>.</summary>
    /// <param name="max">The time (dilated); <see cref="RemainingOrDefault"/> if it is not given.</param>
    public async Task FishUntilMessageAsync<T>(TimeSpan? max = null, CancellationToken cancellationToken = default)
    {
        await foreach (var message in ReceiveWhileAsync((Predicate<object>)(_ => true), max, cancellationToken: cancellationToken))
            _assertions.AssertFalse(message is T, "did not expect a message of type {0}", typeof(T));
    }

    /// <summary>The next messages, up to a pause in which none comes.</summary>
    /// <param name="max">How long the pause is, not dilated; <c>single-expect-default</c> if it is not given.</param>
    /// <param name="maxMessages">It fails if there are more than that.</param>
    public async Task<ArrayList> WaitForRadioSilenceAsync(
        TimeSpan? max = null, uint? maxMessages = null, CancellationToken cancellationToken = default)
    {
        var messages = new ArrayList();
        while (await ReceiveOneAsync(max, cancellationToken) is { } message)
        {
            messages.Add(message);
            _assertions.AssertFalse(messages.Count > maxMessages, "{0} messages came, more than {1}", messages.Count, maxMessages);
        }
        return ArrayList.ReadOnly(messages);
    }

    private async ValueTask<T> FishCore<T>(
        bool blocking, Predicate<T> isMessage, ArrayList allMessages, TimeSpan? max, string hint, CancellationToken cancellationToken)
    {
        var limit = RemainingOrDilated(max);
        var stop = Clock + limit;
        allMessages?.Clear();
        while (true)
        {
            var left = stop - Clock;
            var envelope = await Next(blocking, true, left > TimeSpan.Zero ? left : TimeSpan.Zero, cancellationToken);
            _assertions.AssertTrue(
                envelope is not NullMessageEnvelope, "Timeout ({0}) during fishForMessage{1}",
                limit, string.IsNullOrEmpty(hint) ? "" : ", hint: " + hint);
            if (envelope.Message is T message && isMessage(message))
                return message;
            allMessages?.Add(envelope.Message);
        }
    }
}
