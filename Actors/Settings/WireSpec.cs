using Tapwire.Stack.Interfaces;
using Tapwire.Wires;

namespace Tapwire.Actors.Settings;

/// <summary>The wire of an interface: "tap:tw0" is an Ethernet device, "tun:tw0" one for raw IP.</summary>
public sealed record WireSpec(string Kind, string Name)
{
    public static readonly string Accepted = $"{string.Join(" or ", WireRegistry.Kinds.Select(static kind => kind.Form))}, as in tap:tw0, NAME of 1 to 15 bytes";

    public Medium Medium => Registered.Medium;

    private WireKind Registered => WireRegistry.Find(Kind)!;

    /// <summary>Null: there is no such kind, or it does not take that argument.</summary>
    public static WireSpec? Parse(string? text)
    {
        var parts = (text ?? "").Trim().Split(':', 2);
        return parts is [var kind, var name] && WireRegistry.Find(kind)?.Accepts(name) == true ? new WireSpec(kind, name) : null;
    }

    /// <exception cref="WireException">It does not open, and why.</exception>
    public IWire Open(WireRequest request) => Registered.Open(Name, request);

    public override string ToString() => $"{Kind}:{Name}";
}
