using Tapwire.Proxy;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Proxy;

/// <summary>The PROXY protocol, version 2, to the byte.</summary>
public sealed class ProxyProtocolSpecs
{
    private const string Signature = "0D0A0D0A000D0A515549540A";

    [Theory]
    [InlineData("10.99.0.1", 40000, "10.99.0.2", 80, "21 11 000C 0A630001 0A630002 9C40 0050")]
    [InlineData("fd00::1", 1, "fd00::2", 65535, "21 21 0024 FD000000000000000000000000000001 FD000000000000000000000000000002 0001 FFFF")]
    [InlineData("10.99.0.1", 40000, "fd00::2", 80, "21 21 0024 00000000000000000000FFFF0A630001 FD000000000000000000000000000002 9C40 0050")]
    public void A_header_names_the_client_and_what_it_has_connected_to(string source, int sourcePort, string destination, int destinationPort, string bytes)
    {
        var header = ProxyProtocol.HeaderOf(new IpEndpoint(IpAddress.Parse(source), (ushort)sourcePort), new IpEndpoint(IpAddress.Parse(destination), (ushort)destinationPort));
        Assert.Equal(Signature + bytes.Replace(" ", "", StringComparison.Ordinal), Convert.ToHexString(header));
        Assert.InRange(header.Length, 28, ProxyProtocol.MaxLength);
    }
}
