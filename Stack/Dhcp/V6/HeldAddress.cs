using Tapwire.Stack.Ip;

namespace Tapwire.Stack.Dhcp.V6;

/// <summary>An address of the interface, with the end of its times.</summary>
internal sealed class HeldAddress(IpAddress address)
{
    public IpAddress Address => address;

    public Instant PreferredUntil { get; set; }

    public Instant ValidUntil { get; set; }

    public bool IsDeprecated { get; set; }

    public Instant NextDeadline => IsDeprecated ? ValidUntil : Instant.Min(PreferredUntil, ValidUntil);
}
