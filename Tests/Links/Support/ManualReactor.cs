using Tapwire.Posix;
using Tapwire.Wires;

namespace Tapwire.Tests.Links.Support;

/// <summary>A reactor for one descriptor that reports when the spec says so.</summary>
internal sealed class ManualReactor : IReactor
{
    private Action<Readiness>? _ready;

    public Readiness Interest { get; private set; }

    public int Disposals { get; private set; }

    /// <summary>Called when the interest has been changed, before that call returns.</summary>
    public Action<Readiness>? Changing { get; set; }

    public IRegistration Register(int descriptor, Readiness interest, Action<object?, Readiness> ready, object? state)
    {
        Interest = interest;
        _ready = readiness => ready(state, readiness);
        return new Registration(this);
    }

    public void Report(Readiness readiness) => _ready!(readiness);

    private sealed class Registration(ManualReactor reactor) : IRegistration
    {
        public void SetInterest(Readiness interest)
        {
            reactor.Interest = interest;
            reactor.Changing?.Invoke(interest);
        }

        public void Dispose() => reactor.Disposals++;
    }
}
