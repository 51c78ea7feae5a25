using Tapwire.Stack.Ip;

namespace Tapwire.Stack;

/// <summary>An address that an interface has made of a prefix which routers advertise (RFC 4862, 5.5.3), or no longer has.</summary>
/// <param name="IsGone">Its time is over, or the interface no longer listens to routers.</param>
public readonly record struct AutoconfiguredAddress(IpAddress Address, bool IsGone);
