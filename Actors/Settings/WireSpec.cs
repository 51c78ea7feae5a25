using System.Text;
using Tapwire.Stack.Interfaces;

namespace Tapwire.Actors.Settings;

/// <summary>The wire of an interface: "tap:tw0" is an Ethernet device, "tun:tw0" one for raw IP.</summary>
public sealed record WireSpec(string Kind, string Name)
{
    public const string Accepted = "tap:NAME or tun:NAME, as in tap:tw0, NAME of 1 to 15 bytes";

    /// <summary>IFNAMSIZ, less the terminating zero.</summary>
    private const int MaxName = 15;

    public Medium Medium => Kind == "tap" ? Medium.Ethernet : Medium.Ip;

    public static WireSpec? Parse(string? text)
    {
        var parts = (text ?? "").Trim().Split(':', 2);
        // The kernel refuses "." and "..", and would expand '%'.
        return parts is ["tap" or "tun", { Length: >= 1 } name] && Encoding.UTF8.GetByteCount(name) <= MaxName && name is not ("." or "..")
            && !name.Any(c => char.IsWhiteSpace(c) || char.IsControl(c) || c is '/' or ':' or '%')
            ? new WireSpec(parts[0], name)
            : null;
    }

    public override string ToString() => $"{Kind}:{Name}";
}
