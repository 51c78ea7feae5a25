namespace Tapwire.Stack;

/// <summary>The values that an option may have, both ends included. The reader of settings and the engine, which refuses what is outside, use the same
/// range.</summary>
public readonly record struct ValueRange<T>(T Least, T Most)
    where T : IComparable<T>
{
    public bool Contains(T value) => value.CompareTo(Least) >= 0 && value.CompareTo(Most) <= 0;

    public override string ToString() => $"{Least}..{Most}";

    /// <exception cref="ArgumentOutOfRangeException">The value is outside; <paramref name="name"/> is the exception's parameter.</exception>
    internal void Check(T value, string name)
    {
        if (!Contains(value))
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be from {Least} to {Most}.");
    }
}
