namespace Akka.Configuration.Hocon;

/// <summary>Ties every substitution of a parsed text to the value it stands for, and refuses circles.</summary>
internal sealed class SubstitutionResolver
{
    private readonly HoconValue _root;
    // How many substitutions lead to each other behind a value that is done.
    private readonly Dictionary<HoconValue, int> _done = [];
    private readonly HashSet<HoconValue> _underWay = [];

    private SubstitutionResolver(HoconValue root) => _root = root;

    /// <param name="unresolved">The values that contain substitutions or override a value that does, in the order of the text.</param>
    public static void Resolve(HoconValue root, List<HoconValue> unresolved)
    {
        if (unresolved.Count == 0)
            return;
        var resolver = new SubstitutionResolver(root);
        // An object merges with what it overrides only once it is known what the values inside both are.
        foreach (var value in unresolved.Where(v => v.Overridden is null).Concat(unresolved.Where(v => v.Overridden is not null)))
            resolver.Resolve(value);
        new TreeCheck().Visit(root, 0);
    }

    // Answers how many substitutions lead to each other behind the value.
    private int Resolve(HoconValue value)
    {
        if (_done.TryGetValue(value, out var chain) || value.Overridden is null && !value.Values.Exists(v => v is HoconSubstitution))
            return chain;
        var position = Position(value);
        if (!_underWay.Add(value))
            throw position.Error("the substitution leads back to itself");
        if (_underWay.Count > Parser.MaxDepth)
            throw TooLong(position);

        foreach (var substitution in value.Values.OfType<HoconSubstitution>())
            chain = Math.Max(chain, 1 + ResolveOne(substitution));
        if (chain > Parser.MaxDepth)
            throw TooLong(position);
        value.Values.RemoveAll(v => v is HoconSubstitution { ResolvedValue: null });
        TrimBlanks(value.Values);
        if (value.Overridden is { } overridden)
            Override(value, overridden);
        Concatenation.Check(value, position);
        _underWay.Remove(value);
        return _done[value] = chain;
    }

    private static ConfigurationException TooLong(TextPosition position) =>
        position.Error($"more than {Parser.MaxDepth} substitutions lead to each other");

    private int ResolveOne(HoconSubstitution substitution)
    {
        var chain = 0;
        if (Find(substitution) is { } found)
        {
            chain = Resolve(found);
            substitution.ResolvedValue = found.Values.Count > 0 ? found : null;
        }
        if (substitution.ResolvedValue is null && !substitution.IsOptional)
            throw substitution.Position.Error($"cannot resolve ${{{substitution.Path}}}: there is no value at this path");
        return chain;
    }

    private HoconValue Find(HoconSubstitution substitution)
    {
        var node = _root;
        foreach (var key in HoconPath.Split(substitution.Path))
        {
            Resolve(node);
            var next = node.GetChildObject(key);
            if (next is not null && ReferenceEquals(next, substitution.Assignment?.Slot))
                next = substitution.Assignment.Previous;
            if (next is null)
                return null;
            node = next;
        }
        return node;
    }

    // What a value was before shows through where the value says nothing, or where both are objects.
    private void Override(HoconValue value, HoconValue overridden)
    {
        value.Overridden = null;
        Resolve(overridden);
        if (value.Values.Count == 0)
            value.Values.AddRange(overridden.Values);
        else if (value.GetObject() is { } mine && overridden.GetObject() is { } before)
            value.NewValue(before.MergeImmutable(mine));
    }

    private static void TrimBlanks(List<IHoconElement> values)
    {
        while (values is [.., HoconLiteral { IsBlank: true }])
            values.RemoveAt(values.Count - 1);
        while (values is [HoconLiteral { IsBlank: true }, ..])
            values.RemoveAt(0);
    }

    private static TextPosition Position(HoconValue value) =>
        value.Values.OfType<HoconSubstitution>().FirstOrDefault()?.Position ?? new TextPosition(value.Line, 1);

    /// <summary>Removes the keys and elements that turned out to have no value, and refuses values that contain themselves.</summary>
    private sealed class TreeCheck
    {
        private readonly Dictionary<HoconValue, int> _heights = [];
        private readonly HashSet<HoconValue> _open = [];

        public int Visit(HoconValue value, int depth)
        {
            if (!_heights.TryGetValue(value, out var height))
            {
                if (!_open.Add(value))
                    throw Position(value).Error("the value contains itself through a substitution");
                // A dotted key, an object and a substitution each count as one level.
                if (depth <= 2 * Parser.MaxDepth)
                    foreach (var child in value.Values.SelectMany(Children))
                        height = Math.Max(height, 1 + Visit(child, depth + 1));
                _open.Remove(value);
                _heights[value] = height;
            }
            if (depth + height > 2 * Parser.MaxDepth)
                throw Position(value).Error($"substitutions nest values deeper than {2 * Parser.MaxDepth} levels");
            return height;
        }

        private static IEnumerable<HoconValue> Children(IHoconElement element)
        {
            switch (element)
            {
                case HoconObject o:
                    foreach (var (key, _) in o.Items.Where(kv => kv.Value.Values.Count == 0).ToList())
                        o.Items.Remove(key);
                    return o.Items.Values;
                case HoconArray array:
                    array.RemoveAll(v => v.Values.Count == 0);
                    return array;
                case HoconSubstitution { ResolvedValue: { } resolved }:
                    return [resolved];
                default:
                    return [];
            }
        }
    }
}
