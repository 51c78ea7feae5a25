using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Stack;

/// <summary>An own address that was given up because another station has it (RFC 4862, 5.4.5).</summary>
/// <param name="Holder">The station's address as far as it is known.</param>
public readonly record struct DuplicateAddress(IpAddress Address, NetworkInterface Interface, MacAddress Holder);
