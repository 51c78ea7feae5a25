using static Tapwire.Posix.Libc;

namespace Tapwire.Posix;

/// <summary>
/// The descriptors that a reactor watches. epoll is given slot and generation, not the descriptor's number. So an event that was fetched before its registration
/// ended finds nothing, even if slot and number are used again.
/// </summary>
internal sealed class RegistrationTable(int epoll)
{
    private readonly int _epoll = epoll;

    // Guards everything but the reading of _slots by the loop.
    private readonly Lock _lock = new();
    private readonly Stack<int> _free = new();
    private Registration?[] _slots = new Registration?[16];
    private Registration[] _speculative = [];
    private int _used;
    private uint _generation;
    private bool _closed;

    /// <summary>Those that have wanted speculative reports (<see cref="Readiness.Speculative"/>); <see cref="Registration.IsSpeculative"/> tells whether they do now.</summary>
    public ReadOnlySpan<Registration> Speculative => Volatile.Read(ref _speculative);

    public IRegistration Add(int descriptor, Readiness interest, Action<object?, Readiness> ready, object? state)
    {
        ArgumentNullException.ThrowIfNull(ready);
        CheckInterest(interest);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_closed, typeof(Reactor));
            var slot = _free.TryPop(out var free) ? free : _used++;
            if (slot == _slots.Length)
                Grow();

            // Wraps after 2^31 registrations; it then would need one event to stay fetched and unhandled all that time.
            _generation = (_generation + 1) & int.MaxValue;
            var registration = new Registration(this, descriptor, (ulong)_generation << 32 | (uint)slot, ready, state);

            // In the table first: the loop may get its first event before this call returns.
            Volatile.Write(ref _slots[slot], registration);
            if (EpollControl(_epoll, EPOLL_CTL_ADD, descriptor, Events(interest), registration.Data) == 0)
            {
                SetSpeculative(registration, interest);
                return registration;
            }

            var errno = Errno;
            Free(slot);
            throw Errors.Exception($"watching descriptor {descriptor}", errno);
        }
    }

    /// <summary>The registration that an event is for; null if it has ended. Called by the loop, without the lock.</summary>
    public Registration? Find(ulong data)
    {
        var slots = Volatile.Read(ref _slots);
        var slot = (uint)data;
        var registration = slot < (uint)slots.Length ? Volatile.Read(ref slots[slot]) : null;
        return registration?.Data == data ? registration : null;
    }

    /// <summary>No more speculative reports until the registration's interest is set again.</summary>
    public void StopSpeculating(Registration registration)
    {
        lock (_lock)
            SetSpeculative(registration, Readiness.None);
    }

    /// <summary>Forgets all registrations; disposing them later does nothing.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
            Array.Clear(_slots);
            _speculative = [];
        }
    }

    private static uint Events(Readiness interest) =>
        EPOLLRDHUP
        | ((interest & Readiness.Level) == 0 ? EPOLLET : 0)
        | ((interest & Readiness.Readable) != 0 ? EPOLLIN : 0)
        | ((interest & Readiness.Writable) != 0 ? EPOLLOUT : 0);

    public static Readiness ReadinessOf(uint events)
    {
        var readiness = Readiness.None;
        if ((events & EPOLLIN) != 0)
            readiness |= Readiness.Readable;
        if ((events & EPOLLOUT) != 0)
            readiness |= Readiness.Writable;
        if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
            readiness |= Readiness.HangUp;
        return readiness;
    }

    private static void CheckInterest(Readiness interest)
    {
        if ((interest & ~(Readiness.Readable | Readiness.Writable | Readiness.Level | Readiness.Speculative)) != 0)
            throw new ArgumentException($"The interest can be Readable, Writable, both or None, and Level and Speculative, not {interest}.", nameof(interest));
    }

    /// <summary>With the lock. It allocates the first time only: an owner whose interest changes must not lose its descriptor because no memory is left at that moment.</summary>
    private void SetSpeculative(Registration registration, Readiness interest)
    {
        var wanted = (interest & Readiness.Speculative) != 0;
        if (wanted && !registration.IsListed)
        {
            Volatile.Write(ref _speculative, [.. _speculative, registration]);
            registration.IsListed = true;
        }

        registration.IsSpeculative = wanted;
    }

    /// <summary>With the lock. One that stays in the list for want of memory is looked at in vain.</summary>
    private void Unlist(Registration registration)
    {
        if (registration.IsListed)
            Volatile.Write(ref _speculative, [.. _speculative.Where(other => other != registration)]);
    }

    private void Grow()
    {
        var larger = new Registration?[_slots.Length * 2];
        _slots.CopyTo(larger, 0);
        Volatile.Write(ref _slots, larger);
    }

    private void Free(int slot)
    {
        Volatile.Write(ref _slots[slot], null);
        _free.Push(slot);
    }

    internal sealed class Registration(RegistrationTable table, int descriptor, ulong data, Action<object?, Readiness> ready, object? state) : IRegistration
    {
        private bool _disposed;

        public ulong Data { get; } = data;

        /// <summary>It wants speculative reports. Changed with the lock.</summary>
        public bool IsSpeculative { get; set; }

        /// <summary>One of <see cref="Speculative"/>. Changed with the lock.</summary>
        public bool IsListed { get; set; }

        public void SetInterest(Readiness interest)
        {
            CheckInterest(interest);
            lock (table._lock)
            {
                ObjectDisposedException.ThrowIf(_disposed, this);
                if (table._closed)
                    return;
                if (EpollControl(table._epoll, EPOLL_CTL_MOD, descriptor, Events(interest), Data) != 0)
                    throw Errors.Exception($"watching descriptor {descriptor}", Errno);
                table.SetSpeculative(this, interest);
            }
        }

        public void Dispose()
        {
            lock (table._lock)
            {
                if (_disposed)
                    return;
                _disposed = true;
                if (table._closed)
                    return;
                table.SetSpeculative(this, Readiness.None);

                // Fails only for a descriptor that its owner has closed already, against the rule; the kernel has then dropped it, too.
                _ = EpollControl(table._epoll, EPOLL_CTL_DEL, descriptor, 0, 0);
                table.Free((int)(uint)Data);
                table.Unlist(this);
            }
        }

        public void Report(Readiness readiness) => ready(state, readiness);
    }
}
