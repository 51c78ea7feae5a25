using Tapwire.Configuration;
using Xunit;

namespace Tapwire.Tests.Host.Configuration;

/// <summary>What a driver takes by itself.</summary>
public sealed class MemorySharesSpec
{
    [Theory]
    [InlineData(128L << 20)]
    [InlineData(200L << 20)]
    [InlineData(1L << 30)]
    public void In_a_small_place_all_shares_leave_room_for_the_rest(long limit)
    {
        var shares = new MemoryShares(limit);
        Assert.InRange(shares.Tcp, MemoryShares.LeastTcp, limit / 4);
        Assert.InRange(shares.ReceiveBuffer, MemoryShares.LeastBuffer, shares.Tcp / 32);
        Assert.InRange(shares.TcpSockets * 2048L, 1, limit / 4);
        Assert.InRange(shares.LinkSockets * 16384L, 1, limit / 4);
        Assert.InRange(shares.Pool(), 1 << 20, limit / 32);
    }

    [Theory]
    [InlineData(127L << 20, "127 MiB")]
    [InlineData(128L << 20, null)]
    [InlineData(long.MaxValue, null)]
    public void Where_no_driver_can_live_it_is_said(long limit, string? words)
    {
        if (words is null)
            Assert.Null(new MemoryShares(limit).Problem);
        else
            Assert.Contains(words, new MemoryShares(limit).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void On_a_large_machine_they_are_what_a_driver_can_use()
    {
        var shares = new MemoryShares(1L << 40);
        Assert.Equal((1L << 30, 1 << 20, 1 << 20, 65536, 16 << 20), (shares.Tcp, shares.ReceiveBuffer, shares.TcpSockets, shares.LinkSockets, shares.Pool()));
    }
}
