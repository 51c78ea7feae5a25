using System.Collections;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Tapwire.Bench.Scale;

/// <summary>
/// What lives on the heap behind some objects, by type: every object that can be reached through fields and array elements, once, with the size that the
/// runtime gives it. Types, threads and the like, which belong to the process, are not entered.
/// </summary>
internal sealed class ObjectGraph
{
    /// <summary>A delegate cannot be made without a method to measure it.</summary>
    private const int DelegateSize = 64;

    private readonly Dictionary<Type, (long Count, long Bytes)> _types = [];
    private readonly HashSet<object> _seen = new(ReferenceEqualityComparer.Instance);
    private readonly Stack<object> _open = new();
    private readonly Dictionary<Type, FieldInfo[]> _fields = [];
    private readonly Dictionary<Type, int> _sizes = [];

    public static ObjectGraph Of(params object[] roots)
    {
        var graph = new ObjectGraph();
        foreach (var root in roots)
            graph.Enter(root);
        while (graph._open.TryPop(out var next))
            graph.Visit(next);
        return graph;
    }

    /// <summary>The types of which there are at least so many objects per connection.</summary>
    public IEnumerable<(Type Type, double Count, double Bytes)> PerConnection(int connections, double least = 0.5) =>
        _types.Select(entry => (entry.Key, (double)entry.Value.Count / connections, (double)entry.Value.Bytes / connections))
            .Where(entry => entry.Item2 >= least || (entry.Key.IsArray && entry.Item3 >= 4))
            .OrderByDescending(entry => entry.Item3);

    private void Enter(object? target)
    {
        if (target is null or Type or MemberInfo or Assembly or Module or Thread or Pointer || !_seen.Add(target))
            return;
        _open.Push(target);
    }

    private void Visit(object target)
    {
        var type = target.GetType();
        ref var entry = ref System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(_types, type, out _);
        entry = (entry.Count + 1, entry.Bytes + SizeOf(target, type));
        if (target is string)
            return;
        if (target is Array array)
        {
            var element = type.GetElementType()!;
            if (element.IsPrimitive || element.IsPointer)
                return;
            foreach (var item in array)
                Reached(item);
            return;
        }

        foreach (var field in FieldsOf(type))
            Reached(field.GetValue(target));
    }

    /// <summary>A boxed struct is looked into, for its fields stand in its holder.</summary>
    private void Reached(object? value)
    {
        if (value is not ValueType)
        {
            Enter(value);
            return;
        }

        foreach (var field in FieldsOf(value.GetType()))
            Reached(field.GetValue(value));
    }

    private FieldInfo[] FieldsOf(Type type)
    {
        if (_fields.TryGetValue(type, out var known))
            return known;
        var fields = new List<FieldInfo>();
        for (var level = type; level is not null && !type.IsPrimitive; level = level.BaseType)
        {
            fields.AddRange(level.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
                .Where(field => !field.FieldType.IsPrimitive && !field.FieldType.IsEnum && !field.FieldType.IsPointer && !field.FieldType.IsByRefLike));
        }

        return _fields[type] = [.. fields];
    }

    private int SizeOf(object target, Type type)
    {
        if (target is string text)
            return Aligned(22 + 2 * text.Length);
        if (target is Array array)
            return Aligned(24 + array.Length * ElementSize(type.GetElementType()!));
        if (target is Delegate)
            return DelegateSize;
        if (_sizes.TryGetValue(type, out var known))
            return known;
        try
        {
            GC.SuppressFinalize(RuntimeHelpers.GetUninitializedObject(type));
            var before = GC.GetAllocatedBytesForCurrentThread();
            var sample = RuntimeHelpers.GetUninitializedObject(type);
            known = (int)(GC.GetAllocatedBytesForCurrentThread() - before);
            GC.SuppressFinalize(sample);
        }
        catch (Exception e) when (e is ArgumentException or MemberAccessException or NotSupportedException)
        {
            known = 0;
        }

        return _sizes[type] = known;
    }

    private static int ElementSize(Type element) =>
        element.IsValueType ? (int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(element).Invoke(null, null)! : IntPtr.Size;

    private static int Aligned(int bytes) => (bytes + 7) & ~7;
}
