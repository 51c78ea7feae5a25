using Tapwire.Tests.Support;
using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Posix;

/// <summary>Who may have which of the last descriptors.</summary>
[Collection(AloneCollection.Name)]
public sealed class OpenFileLimitSpec
{
    [Theory]
    [InlineData(256)]
    [InlineData(300)]
    [InlineData(20_000)]
    [InlineData(1 << 30)]
    public void The_last_descriptors_are_not_for_what_peers_cause(int value)
    {
        var limit = new OpenFileLimit(() => value);
        Assert.Equal(value, limit.Limit);
        Assert.InRange(value - limit.Ceiling, 48, 1024);
        Assert.True(limit.Admits(limit.Ceiling - 1));
        Assert.False(limit.Admits(limit.Ceiling));
        Assert.True(limit.AdmitsSession(limit.Ceiling));
        Assert.True(limit.AdmitsSession(limit.SessionCeiling - 1));
        Assert.False(limit.AdmitsSession(limit.SessionCeiling));
        Assert.InRange(value - limit.SessionCeiling, 4, value - limit.Ceiling - 16);
    }

    [Fact]
    public void A_limit_that_is_changed_while_the_process_runs_is_noticed_where_it_matters()
    {
        var value = 300;
        var limit = new OpenFileLimit(() => value);
        Assert.False(limit.Admits(400));
        value = 1000;
        Assert.True(limit.Admits(400));
        Assert.Equal(1000, limit.Limit);
    }

    [Fact]
    public void Open_files_are_counted_without_the_one_that_counting_takes()
    {
        var before = OpenFileLimit.Used();
        using var file = File.OpenHandle("/dev/null");
        Assert.Equal(before + 1, OpenFileLimit.Used());
    }
}
