namespace Tapwire.Posix;

/// <summary>What a descriptor is ready for.</summary>
[Flags]
public enum Readiness
{
    None = 0,

    Readable = 1,

    Writable = 2,

    /// <summary>The other end has closed, or has shut down its sending side (EPOLLRDHUP, EPOLLHUP), or an error is pending (EPOLLERR). A read tells which.</summary>
    HangUp = 4,

    /// <summary>Of an interest only, level-triggered: a report is repeated, each time that the reactor looks, for as long as the descriptor is ready.</summary>
    Level = 8,

    /// <summary>
    /// Of an interest: reads may be tried without asking the kernel first. For a descriptor such as a TAP device's, a read that finds nothing costs no more than an
    /// epoll_wait, and one that finds a frame saves it. Of a report, together with <see cref="Readable"/>: the reactor has no other work and has not asked the kernel;
    /// the owner is to try.
    /// </summary>
    Speculative = 16,
}

/// <summary>
/// Reports descriptors that have become ready. Edge-triggered, unless <see cref="Readiness.Level"/> is asked for: a report is not repeated before the descriptor
/// was found not ready.
/// </summary>
public interface IReactor
{
    /// <summary>Watches a non-blocking descriptor.</summary>
    /// <param name="descriptor">An open descriptor; it stays the caller's and must outlive the registration.</param>
    /// <param name="interest">Readable, Writable or both, with or without Level and Speculative; hang-ups are always reported.</param>
    /// <param name="ready">Called on the reactor's thread, with short work only. What it throws is reported to the reactor's owner.</param>
    /// <param name="state">Given to <paramref name="ready"/>, so that one handler can serve any number of descriptors.</param>
    IRegistration Register(int descriptor, Readiness interest, Action<object?, Readiness> ready, object? state);
}

/// <summary>Handlers without a state.</summary>
public static class ReactorExtensions
{
    /// <summary>Calls the handler that is passed as the state.</summary>
    internal static readonly Action<object?, Readiness> Invoke = static (ready, readiness) => ((Action<Readiness>)ready!)(readiness);

    /// <inheritdoc cref="IReactor.Register"/>
    public static IRegistration Register(this IReactor reactor, int descriptor, Readiness interest, Action<Readiness> ready)
    {
        ArgumentNullException.ThrowIfNull(ready);
        return reactor.Register(descriptor, interest, Invoke, ready);
    }
}

/// <summary>A watched descriptor. Disposing ends the watch; after that call, made on the reactor's own thread, no report comes.</summary>
public interface IRegistration : IDisposable
{
    /// <summary>Changes what is reported. Whatever is ready at that moment is reported anew.</summary>
    void SetInterest(Readiness interest);
}
