using Xunit;
using Xunit.Sdk;

namespace Akka.Tests.TestKit;

public class TimeSpec : Akka.TestKit.Xunit2.TestKit
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(30);

    public TimeSpec()
        : base("akka.test { timefactor = 2, single-expect-default = 50ms }")
    {
    }

    [Fact]
    public void Durations_are_dilated_by_the_time_factor()
    {
        Assert.Equal(Short * 2, Dilated(Short));
        Assert.Equal(TimeSpan.Zero, Dilated(TimeSpan.Zero));
        Assert.Equal(Timeout.InfiniteTimeSpan, Dilated(Timeout.InfiniteTimeSpan));
        Assert.Equal(TimeSpan.FromMilliseconds(100), RemainingOrDefault);
        Assert.Equal(Short * 2, RemainingOrDilated(Short));
        Assert.Equal(TimeSpan.FromMilliseconds(50), GetTimeoutOrDefault(null));
        Assert.Equal(2, TestKitSettings.TestTimeFactor);
    }

    [Fact]
    public void Expectations_wait_no_longer_than_what_is_left_of_within()
    {
        Assert.Throws<InvalidOperationException>(() => Remaining);
        Assert.Equal("done", Within(Long, () =>
        {
            Assert.InRange(Remaining, TimeSpan.Zero, Long * 2);
            Within(Long * 2, () => Assert.InRange(Remaining, TimeSpan.Zero, Long * 2));
            Within(Short, () => Assert.ThrowsAny<XunitException>(() => ExpectMsg<string>()), epsilonValue: Long);
            return "done";
        }));
        Assert.Throws<InvalidOperationException>(() => Remaining);
    }

    [Fact]
    public void Within_fails_what_takes_too_long_or_not_long_enough()
    {
        Assert.ThrowsAny<XunitException>(() => Within(Short, () => AwaitConditionNoThrow(() => false, Short * 3)));
        Within(Short, () => AwaitConditionNoThrow(() => false, Short * 3), epsilonValue: Long);
        Assert.ThrowsAny<XunitException>(() => Within(Long, Long * 2, () => { }));
        Assert.ThrowsAny<XunitException>(() => Within(Short, () => Within(Long, Long * 2, () => { })));
        Assert.Throws<NotSupportedException>(() => Within(Long, () => throw new NotSupportedException()));
    }

    [Fact]
    public async Task Within_has_an_asynchronous_twin()
    {
        Assert.Equal(1, await WithinAsync(Long, () => Task.FromResult(1)));
        await Assert.ThrowsAnyAsync<XunitException>(() => WithinAsync(Short, () => Task.Delay(Short * 4)));
        await Assert.ThrowsAnyAsync<XunitException>(() => WithinAsync(Long, Long * 2, () => Task.CompletedTask));
    }

    [Fact]
    public async Task Conditions_are_awaited()
    {
        var attempts = 0;
        Within(Long, () => AwaitCondition(() => ++attempts == 3));
        AwaitCondition(() => ++attempts == 6, Long);
        AwaitCondition(() => ++attempts == 9, Long, TimeSpan.FromMilliseconds(1), "message");
        await AwaitConditionAsync(() => ++attempts == 12, Long, "message");
        await AwaitConditionAsync(() => Task.FromResult(++attempts == 15), Long);
        Assert.Equal(15, attempts);
        Assert.ThrowsAny<XunitException>(() => AwaitCondition(() => false, Short));
        Assert.Contains("my {message}", Assert.ThrowsAny<XunitException>(() => AwaitCondition(() => false, Short, "my {message}")).Message, StringComparison.Ordinal);
        await Assert.ThrowsAnyAsync<XunitException>(() => AwaitConditionAsync(() => false, Short, "message"));
        Assert.True(AwaitConditionNoThrow(() => true, TimeSpan.Zero));
        Assert.False(AwaitConditionNoThrow(() => false, Short));
        Assert.False(await AwaitConditionNoThrowAsync(() => false, Short));
    }

    [Fact]
    public async Task Assertions_are_repeated_until_they_hold()
    {
        var attempts = 0;
        AwaitAssert(() => Assert.Equal(3, ++attempts), Long);
        AwaitAssert(() => Assert.Equal(6, ++attempts), Long, TimeSpan.FromMilliseconds(1));
        await AwaitAssertAsync(() => Assert.Equal(9, ++attempts), Long);
        await AwaitAssertAsync(
            () =>
            {
                Assert.Equal(12, ++attempts);
                return Task.CompletedTask;
            },
            Long);
        Assert.Equal("last", Assert.Throws<NotSupportedException>(() => AwaitAssert(() => throw new NotSupportedException("last"), Short)).Message);
        await Assert.ThrowsAsync<NotSupportedException>(() => AwaitAssertAsync(() => throw new NotSupportedException(), Short));
    }
}
