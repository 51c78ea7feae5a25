using Tapwire.Stack.Interfaces;
using Tapwire.Wires;

namespace Tapwire.Actors.Settings;

/// <summary>The wire of an interface: "tap:tw0" is an Ethernet device, "tun:tw0" one for raw IP, "wg:office.conf" a WireGuard interface.</summary>
public sealed record WireSpec(string Kind, string Argument)
{
    public static readonly string Accepted = $"{string.Join(" or ", WireRegistry.Kinds.Select(static kind => kind.Form))}, as in tap:tw0, NAME of 1 to 15 bytes, as that of FILE without .conf";

    /// <summary>The name of its device.</summary>
    public string Name => Registered.DeviceOf(Argument);

    public Medium Medium => Registered.Medium;

    private WireKind Registered => WireRegistry.Find(Kind)!;

    /// <summary>Null: there is no such kind, or it does not take that argument.</summary>
    public static WireSpec? Parse(string? text)
    {
        var parts = (text ?? "").Trim().Split(':', 2);
        return parts is [var kind, var argument] && WireRegistry.Find(kind)?.Accepts(argument) == true ? new WireSpec(kind, argument) : null;
    }

    /// <summary>The argument names a file, which the driver reads with its own rights.</summary>
    public bool ReadsFile => Registered.ReadsFile;

    /// <inheritdoc cref="WireKind.PlanOf"/>
    public WirePlan? Plan() => Registered.PlanOf(Argument);

    /// <exception cref="WireException">It does not open, and why.</exception>
    public IWire Open(WireRequest request) => Registered.Open(Argument, request);

    public override string ToString() => $"{Kind}:{Argument}";
}
