using Tapwire.Wires;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Tests.Actors.Support;

/// <summary>A reactor that looks at its descriptors when the test says so, on the test's thread: nothing happens in between.</summary>
internal sealed class ManualReactor : IReactor
{
    private readonly List<Registration> _registrations = [];

    /// <summary>The next registration fails, as where a user watches too many descriptors.</summary>
    public bool FailsNext { get; set; }

    public int Count => _registrations.Count;

    public IRegistration Register(int descriptor, Readiness interest, Action<object?, Readiness> ready, object? state)
    {
        if (FailsNext)
        {
            FailsNext = false;
            throw new PosixException("epoll_ctl", 28);
        }

        var registration = new Registration(this, descriptor, ready, state) { Interest = interest };
        _registrations.Add(registration);
        return registration;
    }

    /// <summary>Reports, once, what each descriptor is ready for.</summary>
    public void Look()
    {
        foreach (var registration in _registrations.ToList())
            registration.Look();
    }

    private sealed class Registration(ManualReactor reactor, int descriptor, Action<object?, Readiness> ready, object? state) : IRegistration
    {
        public Readiness Interest { get; set; }

        public void SetInterest(Readiness interest) => Interest = interest;

        public void Dispose() => reactor._registrations.Remove(this);

        public void Look()
        {
            if (!reactor._registrations.Contains(this))
                return;
            var events = Poll();
            var readiness = Readiness.None;
            if ((events & POLLIN) != 0 && (Interest & Readiness.Readable) != 0)
                readiness |= Readiness.Readable;
            if ((events & POLLOUT) != 0 && (Interest & Readiness.Writable) != 0)
                readiness |= Readiness.Writable;
            if ((events & (POLLHUP | POLLERR | POLLRDHUP)) != 0)
                readiness |= Readiness.HangUp;
            if (readiness != Readiness.None)
                ready(state, readiness);
        }

        private unsafe int Poll()
        {
            var entry = new PollDescriptor { Descriptor = descriptor, Events = POLLIN | POLLOUT | POLLRDHUP };
            return poll(&entry, 1, 0) > 0 ? entry.Returned : 0;
        }
    }
}
