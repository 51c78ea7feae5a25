using Tapwire.Stack.Interfaces;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Wires;

public sealed class TapWireOptionsSpec
{
    [Theory]
    [InlineData("", "0 bytes")]
    [InlineData("sixteen-bytes-xx", "16 bytes")]
    [InlineData("ätherätheräth", "16 bytes")]
    [InlineData("a b", "3 bytes")]
    [InlineData("a/b", "3 bytes")]
    [InlineData("eth0:1", "6 bytes")]
    [InlineData("..", "2 bytes")]
    public void A_name_that_no_interface_can_have_is_refused(string name, string bytes) => Assert.Equal(
        $"'{name}' cannot be an interface's name: 1 to 15 bytes without space, '/' and ':' are accepted ({bytes} here).",
        Refusal(new TapWireOptions { Name = name }));

    [Theory]
    [InlineData(67)]
    [InlineData(65522)]
    public void An_mtu_out_of_range_is_refused(int mtu) =>
        Assert.Equal($"The MTU of tw0 cannot be {mtu}: 68 to 65521 are accepted.", Refusal(new TapWireOptions { Name = "tw0", Mtu = mtu }));

    [Fact]
    public void A_group_address_is_refused() => Assert.Equal(
        "ff:ff:ff:ff:ff:ff cannot be the hardware address on tw0: it is a group address or zero.",
        Refusal(new TapWireOptions { Name = "tw0", HardwareAddress = MacAddress.Broadcast }));

    [Fact]
    public void Segmentation_without_checksums_is_refused() => Assert.Equal(
        "The offloads of tw0 cannot be TcpSegmentationV4: segmentation needs Checksum, too.",
        Refusal(new TapWireOptions { Name = "tw0", Offloads = WireOffloads.TcpSegmentationV4 }));

    [Theory]
    [InlineData("tw0")]
    [InlineData("fifteen-bytes-x")]
    [InlineData("tw%d")]
    public void Good_options_are_accepted(string name) =>
        new TapWireOptions { Name = name, Mtu = 65521, HardwareAddress = new MacAddress(2), Offloads = WireOffloads.Checksum }.Validate();

    private static string Refusal(TapWireOptions options) => Assert.Throws<ArgumentException>(options.Validate).Message;
}
