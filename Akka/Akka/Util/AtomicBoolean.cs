namespace Akka.Util;

/// <summary>A boolean that is read and written with full fences.</summary>
public class AtomicBoolean
{
    private int _value;

    public AtomicBoolean(bool initialValue = false) => _value = initialValue ? 1 : 0;

    public bool Value
    {
        get => Volatile.Read(ref _value) != 0;
        set => Interlocked.Exchange(ref _value, value ? 1 : 0);
    }

    /// <summary>Sets the value to <paramref name="newValue"/> if it was <paramref name="expected"/>; says whether it was.</summary>
    public bool CompareAndSet(bool expected, bool newValue)
    {
        var old = expected ? 1 : 0;
        return Interlocked.CompareExchange(ref _value, newValue ? 1 : 0, old) == old;
    }

    /// <summary>Sets the value and returns the one before.</summary>
    public bool GetAndSet(bool newValue) => Interlocked.Exchange(ref _value, newValue ? 1 : 0) != 0;

    public static implicit operator bool(AtomicBoolean atomicBoolean) => atomicBoolean.Value;

    public static implicit operator AtomicBoolean(bool value) => new(value);
}
