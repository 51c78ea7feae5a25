using System.Collections;

namespace Akka.TestKit.Xunit2.Internals;

/// <summary>Compares as xunit does: items of enumerables one by one, everything else by what its type says.</summary>
/// <param name="skipTypeCheck">Whether values of different types may be equal.</param>
/// <param name="innerComparer">Compares the items of enumerables.</param>
public class AkkaAssertEqualityComparer<T>(bool skipTypeCheck = false, IEqualityComparer innerComparer = null) : IEqualityComparer<T>
{
    public bool Equals(T x, T y)
    {
        if (x is null || y is null)
            return x is null && y is null;
        if (!skipTypeCheck && typeof(T) != typeof(object) && !typeof(T).IsInterface && x.GetType() != y.GetType())
            return false;
        return x switch
        {
            IEquatable<T> equatable => equatable.Equals(y),
            IComparable<T> comparable => comparable.CompareTo(y) == 0,
            string => x.Equals(y),
            IEnumerable items when y is IEnumerable others => ItemsEqual(items, others),
            _ => object.Equals(x, y),
        };
    }

    public int GetHashCode(T obj) => obj?.GetHashCode() ?? 0;

    private bool ItemsEqual(IEnumerable first, IEnumerable second)
    {
        var (a, b) = (first.GetEnumerator(), second.GetEnumerator());
        while (true)
        {
            var (more, moreToo) = (a.MoveNext(), b.MoveNext());
            if (!more || !moreToo)
                return more == moreToo;
            var equal = innerComparer?.Equals(a.Current, b.Current) ?? new AkkaAssertEqualityComparer<object>().Equals(a.Current, b.Current);
            if (!equal)
                return false;
        }
    }
}
