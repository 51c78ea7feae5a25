namespace Akka.Util;

/// <summary>A reference that is read and written with full fences.</summary>
public class AtomicReference<T> where T : class
{
    private T _value;

    public AtomicReference() { }

    public AtomicReference(T originalValue) => _value = originalValue;

    public T Value
    {
        get => Volatile.Read(ref _value);
        set => Interlocked.Exchange(ref _value, value);
    }

    /// <summary>Sets the value to <paramref name="newValue"/> if it was <paramref name="expected"/>; says whether it was.</summary>
    public bool CompareAndSet(T expected, T newValue) => ReferenceEquals(Interlocked.CompareExchange(ref _value, newValue, expected), expected);

    /// <summary>Sets the value and returns the one before.</summary>
    public T GetAndSet(T newValue) => Interlocked.Exchange(ref _value, newValue);

    public static implicit operator T(AtomicReference<T> atomicReference) => atomicReference.Value;

    public static implicit operator AtomicReference<T>(T value) => new(value);
}
