using System.Buffers.Binary;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack;

namespace Tapwire.Actors.Link;

/// <summary>
/// Options that change nothing in the stack, by <see cref="OptionRules"/>: hints about timing and memory, permissions for what is permitted anyhow, and behaviour that is always
/// so. They are accepted because programs take a refusal for a fault of the network, and remembered because programs read them back. Connections have those of their listener.
/// </summary>
/// <remarks>A copy shares the values until one of the two sets another.</remarks>
/// <param name="values">Those of another socket. Never changed.</param>
internal struct SocketHints(IReadOnlyDictionary<(int Level, int Name), byte[]>? values)
{
    // Time-outs and marks of reading and writing, which hold for the application's descriptor itself.
    private static readonly int[] OfDescriptor = [LinkOption.SoPeekOff, LinkOption.SoRcvLowat, LinkOption.SoRcvTimeo, LinkOption.SoSndTimeo, LinkOption.SoRcvTimeoNew, LinkOption.SoSndTimeoNew];

    private static readonly (int Level, int Name) Priority = (LinkOption.SolSocket, LinkOption.SoPriority);
    private static readonly Dictionary<(int Level, int Name), byte[]> Nothing = [];

    // Setting makes another one.
    private IReadOnlyDictionary<(int Level, int Name), byte[]>? _values = values;

    /// <summary>What is set, by level and name; null: nothing.</summary>
    public readonly IReadOnlyDictionary<(int Level, int Name), byte[]>? Values => _values;

    /// <summary>What connections have of their listener's: all but SO_PRIORITY (sk_clone_lock).</summary>
    public readonly IReadOnlyDictionary<(int Level, int Name), byte[]>? Inherited => _values is null || !_values.ContainsKey(Priority)
        ? _values
        : _values.Where(static each => each.Key != Priority).ToDictionary();

    /// <summary>IPV6_V6ONLY is set: the application has another socket for IPv4.</summary>
    public readonly bool IsV6Only =>
        _values is not null && _values.TryGetValue((LinkOption.IpProtoIpV6, LinkOption.IpV6V6Only), out var value) && BinaryPrimitives.ReadInt32LittleEndian(value) != 0;

    /// <summary>Sets or reads a hint, or refuses what no option of the socket can be. Null: the request is about something else.</summary>
    public LinkAnswer? Answer(LinkSocketRequest request, LinkSocketType type, SocketFamily family) => request switch
    {
        _ when OptionChecks.Refusal(request, type, family) is not 0 and var errno => request.Failed(errno),
        GetOptionRequest get when OptionRules.Find(get.Level, get.Name, type) is { } rule => Get(get, rule),
        SetOptionRequest set when OptionRules.Find(set.Level, set.Name, type) is { } rule => Set(set, rule),
        _ => null,
    };

    /// <summary>Gives the descriptor of an accepted connection the time-outs of its listener's, as Linux does (sk_clone_lock).</summary>
    public readonly void ApplyTo(ApplicationEnd application)
    {
        if (_values is null)
            return;
        foreach (var name in OfDescriptor)
        {
            if (_values.TryGetValue((LinkOption.SolSocket, name), out var value))
                application.SetOption(name, value);
        }
    }

    private readonly LinkAnswer Get(GetOptionRequest get, OptionRule rule)
    {
        if (rule.GetError != 0)
            return get.Failed(rule.GetError);
        if (_values is not null && _values.TryGetValue((get.Level, get.Name), out var value))
            return value.Length == sizeof(int) ? get.Value(BinaryPrimitives.ReadInt32LittleEndian(value)) : get.Value(value);
        if (rule.Initial is not { } initial)
            return get.Value([]);
        if (rule.Size <= sizeof(int))
            return get.Value(initial);
        Span<byte> whole = stackalloc byte[rule.Size];
        whole.Fill(initial < 0 ? (byte)0xFF : (byte)0);
        if (initial >= 0)
            BinaryPrimitives.WriteInt32LittleEndian(whole, initial);
        return get.Value(whole);
    }

    private LinkAnswer Set(SetOptionRequest set, OptionRule rule)
    {
        if (rule.SetError != 0)
            return set.Failed(rule.SetError);
        if (rule.Initial is null && set.Value.Length == 0)
            return set.Done(); // nothing, as it was
        if (set.Value.Length < rule.LeastSize || !LinkOptions.TryReadNumber(set.Level, set.Value.Span, out var number))
            return set.Failed(StackError.InvalidArgument);
        if (number < rule.Least || number > rule.Most)
            return set.Failed(rule.RangeError);
        number = number == -1 ? rule.MinusOne : number;
        if (!rule.IsKept)
            return set.Done();
        byte[] value;
        if (set.Value.Length > sizeof(int) && rule.Size > sizeof(int))
            value = set.Value[..Math.Min(set.Value.Length, rule.Size)].ToArray();
        else
            value = BitConverter.GetBytes(rule.IsFlag && number != 0 ? 1 : number);
        _values = new Dictionary<(int Level, int Name), byte[]>(_values ?? Nothing) { [(set.Level, set.Name)] = value };
        return set.Done();
    }
}
