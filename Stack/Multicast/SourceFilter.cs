using System.Collections.Immutable;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Multicast;

/// <summary>
/// From whom the datagrams of a group are wanted: from the listed sources only (INCLUDE), or from all but them (EXCLUDE) (RFC 3376, 2). It never changes, and two with the same meaning are equal.
/// </summary>
public sealed class SourceFilter : IEquatable<SourceFilter>
{
    /// <summary>Sources of one interface and group, over all sockets. Where there would be more, all are let through, and the sockets alone filter.</summary>
    internal const int MaxMerged = 1024;

    private readonly ImmutableSortedSet<IpAddress> _sources;

    private SourceFilter(bool isExclude, ImmutableSortedSet<IpAddress> sources)
    {
        IsExclude = isExclude;
        _sources = sources;
    }

    /// <summary>EXCLUDE {}: from anybody.</summary>
    public static SourceFilter Everything { get; } = new(true, []);

    /// <summary>INCLUDE {}: from nobody, as of a host that is not in the group.</summary>
    public static SourceFilter Nothing { get; } = new(false, []);

    /// <summary>The list says who is unwanted.</summary>
    public bool IsExclude { get; }

    /// <summary>Without repetition, in address order.</summary>
    public IReadOnlyList<IpAddress> Sources => _sources;

    /// <summary>Nobody is let through.</summary>
    public bool IsNothing => !IsExclude && _sources.IsEmpty;

    public static SourceFilter Include(IEnumerable<IpAddress> sources) => Of(false, [.. sources]);

    public static SourceFilter Exclude(IEnumerable<IpAddress> sources) => Of(true, [.. sources]);

    public bool Contains(IpAddress source) => _sources.Contains(source);

    public bool Accepts(IpAddress source) => _sources.Contains(source) != IsExclude;

    internal SourceFilter With(IpAddress source) => Of(IsExclude, _sources.Add(source));

    internal SourceFilter Without(IpAddress source) => Of(IsExclude, _sources.Remove(source));

    /// <summary>Sources of this one that are not in another.</summary>
    internal ImmutableSortedSet<IpAddress> Except(SourceFilter other) => _sources.Except(other._sources);

    /// <summary>What lets through whatever any of the filters lets through (RFC 3376, 3.2).</summary>
    internal static SourceFilter Merge(IEnumerable<SourceFilter> filters)
    {
        ImmutableSortedSet<IpAddress>? excluded = null;
        ImmutableSortedSet<IpAddress> included = [];
        foreach (var filter in filters)
        {
            if (!filter.IsExclude)
                included = included.Union(filter._sources);
            else
                excluded = excluded is null ? filter._sources : excluded.Intersect(filter._sources);
        }

        var merged = excluded is null ? Of(false, included) : Of(true, excluded.Except(included));
        return merged._sources.Count > MaxMerged ? Everything : merged;
    }

    public bool Equals(SourceFilter? other) => other is not null && IsExclude == other.IsExclude && _sources.SetEquals(other._sources);

    public override bool Equals(object? obj) => Equals(obj as SourceFilter);

    public override int GetHashCode() => HashCode.Combine(IsExclude, _sources.Count);

    public override string ToString() => $"{(IsExclude ? "EXCLUDE" : "INCLUDE")} {{{string.Join(", ", _sources)}}}";

    private static SourceFilter Of(bool isExclude, ImmutableSortedSet<IpAddress> sources) =>
        sources.IsEmpty ? isExclude ? Everything : Nothing : new SourceFilter(isExclude, sources);
}
