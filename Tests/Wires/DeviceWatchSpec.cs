using Tapwire.Posix;
using Tapwire.Tests.Links.Support;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Wires;

public sealed class DeviceWatchSpec : IDisposable
{
    private const Readiness Level = Readiness.Readable | Readiness.Level | Readiness.Speculative;

    private readonly ManualReactor _reactor = new();
    private readonly List<Readiness> _told = [];
    private readonly DeviceWatch _watch;

    public DeviceWatchSpec()
    {
        _watch = new DeviceWatch(_told.Add);
        _watch.Start(_reactor, 0);
    }

    public void Dispose() => _watch.Dispose();

    [Fact]
    public void Each_read_is_followed_by_one_report_if_something_is_left()
    {
        for (var i = 1; i <= 3; i++)
        {
            _reactor.Report(Readiness.Readable);
            Assert.Equal(i, _told.Count);
            Assert.True(_watch.BeginRead());
        }

        Assert.Equal(Level, _reactor.Interest);
    }

    [Fact]
    public void While_the_owner_has_not_read_the_report_is_not_repeated_and_the_watch_goes_mute_until_then()
    {
        _reactor.Report(Readiness.Readable);
        Assert.Equal(Level, _reactor.Interest);
        _reactor.Report(Readiness.Readable);
        Assert.Equal(Readiness.Readable, _reactor.Interest); // edge-triggered, or it would not see the device's end
        _reactor.Changing = _ => Assert.Fail("Each change reports anew what is ready: it would go on for ever.");
        _reactor.Report(Readiness.Readable);
        Assert.Equal([Readiness.Readable], _told);
        _reactor.Changing = null;

        Assert.True(_watch.BeginRead());
        Assert.Equal(Level, _reactor.Interest);
        _reactor.Report(Readiness.Readable);
        Assert.Equal(2, _told.Count);
    }

    [Fact]
    public void A_speculative_report_is_told_once_until_it_was_tried_and_mutes_nothing()
    {
        for (var i = 0; i < 3; i++)
            _reactor.Report(Readiness.Readable | Readiness.Speculative);
        Assert.Equal([Readiness.Readable], _told);
        Assert.Equal(Level, _reactor.Interest);
        Assert.True(_watch.BeginRead());
        _reactor.Report(Readiness.Readable | Readiness.Speculative);
        Assert.Equal(2, _told.Count);
    }

    [Fact]
    public void A_device_that_has_to_be_read_empty_is_not_tried()
    {
        _watch.WatchForRoom(true);
        _reactor.Report(Readiness.Readable | Readiness.Speculative);
        Assert.Empty(_told);
    }

    [Fact]
    public void An_owner_that_reads_just_when_the_watch_goes_mute_does_not_miss_what_comes()
    {
        _reactor.Report(Readiness.Readable);
        _reactor.Changing = interest =>
        {
            _reactor.Changing = null;
            Assert.Equal(Readiness.Readable, interest);
            Assert.True(_watch.BeginRead());
        };
        _reactor.Report(Readiness.Readable);
        Assert.Equal(Level, _reactor.Interest);
    }

    [Fact]
    public void A_device_that_is_full_is_watched_for_room_without_repetition_and_has_to_be_read_empty()
    {
        _watch.WatchForRoom(true);
        Assert.Equal(Readiness.Readable | Readiness.Writable, _reactor.Interest);
        _reactor.Report(Readiness.Writable);
        _reactor.Report(Readiness.Readable);
        _reactor.Report(Readiness.Readable);
        Assert.Equal([Readiness.Writable, Readiness.Readable, Readiness.Readable], _told);
        Assert.False(_watch.BeginRead());

        _watch.WatchForRoom(false);
        Assert.Equal(Level, _reactor.Interest);
        Assert.True(_watch.BeginRead());
    }

    [Fact]
    public void A_watch_that_is_mute_hears_of_room_all_the_same()
    {
        _reactor.Report(Readiness.Readable);
        _reactor.Report(Readiness.Readable);
        _watch.WatchForRoom(true);
        Assert.Equal(Readiness.Readable | Readiness.Writable, _reactor.Interest);
        _watch.BeginRead();
        Assert.Equal(Readiness.Readable | Readiness.Writable, _reactor.Interest);
    }

    [Fact]
    public void The_end_of_a_device_is_told_even_to_an_owner_that_has_not_read_and_is_not_repeated_for_ever()
    {
        _reactor.Report(Readiness.Readable);
        _reactor.Report(Readiness.Readable);
        _reactor.Changing = _ => Assert.Equal(2, _told.Count); // first of all: from now on a read throws
        _reactor.Report(Readiness.Readable | Readiness.HangUp);
        Assert.Equal(Readiness.Readable, _reactor.Interest);
        Assert.Equal([Readiness.Readable, Readiness.Readable | Readiness.HangUp], _told);
        Assert.True(_watch.HasHungUp);
        Assert.False(_watch.BeginRead());
    }
}
