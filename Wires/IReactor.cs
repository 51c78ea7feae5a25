namespace Tapwire.Wires;

/// <summary>What a descriptor is ready for.</summary>
[Flags]
public enum Readiness
{
    None = 0,

    Readable = 1,

    Writable = 2,

    /// <summary>The other end has closed, or shut down its sending side (EPOLLRDHUP, EPOLLHUP) or an error is pending (EPOLLERR): a read tells which.</summary>
    HangUp = 4,
}

/// <summary>Tells of descriptors that have become ready. Edge-triggered: a report is not repeated until the descriptor was found not ready.</summary>
public interface IReactor
{
    /// <summary>Watches a non-blocking descriptor.</summary>
    /// <param name="descriptor">An open descriptor; it stays the caller's and must outlive the registration.</param>
    /// <param name="interest">Readable, Writable or both; hang-ups are always reported.</param>
    /// <param name="ready">Called on the reactor's thread, with short work only. What it throws is reported to the reactor's owner.</param>
    IRegistration Register(int descriptor, Readiness interest, Action<Readiness> ready);
}

/// <summary>A watched descriptor. Disposing ends the watch; after that call, made on the reactor's own thread, no report comes.</summary>
public interface IRegistration : IDisposable
{
    /// <summary>Changes what is watched for; what is ready at that moment is reported anew.</summary>
    void SetInterest(Readiness interest);
}
