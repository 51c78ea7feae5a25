namespace Tapwire.Stack;

/// <summary>The values that an option may have, both ends included. Whoever reads settings asks the same range as the engine that refuses what is outside.</summary>
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
