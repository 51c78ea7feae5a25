using System.Text.RegularExpressions;
using Akka.Actor;
using Akka.Event;
using Akka.TestKit;
using Xunit;
using Xunit.Sdk;

namespace Akka.Tests.TestKit;

public class EventFilterSpec : Akka.TestKit.Xunit2.TestKit
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(20);

    public EventFilterSpec()
        : base("akka { loglevel = DEBUG, stdout-loglevel = OFF }")
    {
    }

    public static TheoryData<Func<EventFilterFactory, IEventFilterApplier>> Matching =>
    [
        filter => filter.Info("Found 42 frames"),
        filter => filter.Info(start: "found"),
        filter => filter.Info(contains: "42"),
        filter => filter.Info(new Regex("^Found [0-9]+")),
        filter => filter.Info(),
        filter => filter.ForLogLevel(LogLevel.InfoLevel, contains: "42"),
        filter => filter.Custom(e => e is Info),
        filter => filter.Custom<Info>(e => e.Message.ToString() == "Found 42 frames"),
        filter => filter.Error("nothing").And.Info("Found 42 frames"),
    ];

    [Theory]
    [MemberData(nameof(Matching))]
    public void An_event_is_caught_by_its_level_text_or_pattern(Func<EventFilterFactory, IEventFilterApplier> filter) =>
        filter(EventFilter).ExpectOne(() => Log.Info("Found {0} frames", 42));

    [Theory]
    [InlineData(LogLevel.DebugLevel)]
    [InlineData(LogLevel.WarningLevel)]
    [InlineData(LogLevel.ErrorLevel)]
    public void Every_level_has_its_filter(LogLevel level)
    {
        EventFilter.ForLogLevel(level, "text").ExpectOne(() => Log.Log(level, "text"));
        EventFilter.ForLogLevel(level, new Regex("t")).Expect(2, () =>
        {
            Log.Log(level, "text");
            Log.Log(level, "text");
        });
    }

    [Fact]
    public void Too_few_or_too_many_events_fail()
    {
        Assert.ThrowsAny<XunitException>(() => EventFilter.Info("other").ExpectOne(Short, () => Log.Info("text")));
        Assert.ThrowsAny<XunitException>(() => EventFilter.Info("text").Expect(2, Short, () => Log.Info("text")));
        Assert.ThrowsAny<XunitException>(() => EventFilter.Info("text").Expect(0, () => Log.Info("text")));
        EventFilter.Info("text").Expect(0, Short, () => Log.Info("other"));
        Assert.ThrowsAny<XunitException>(() => EventFilter.Debug("text").ExpectOne(Short, () => Log.Info("text")));
    }

    [Fact]
    public void The_codes_result_is_handed_on_and_its_exception_too()
    {
        Assert.Equal(1, EventFilter.Info("text").ExpectOne(() =>
        {
            Log.Info("text");
            return 1;
        }));
        Assert.Equal(2, EventFilter.Info("text").Mute(() => 2));
        Assert.Throws<NotSupportedException>(() => EventFilter.Info("text").ExpectOne((Action)(() => throw new NotSupportedException())));
    }

    [Fact]
    public async Task Events_are_expected_asynchronously()
    {
        await EventFilter.Info("text").ExpectOneAsync(() =>
        {
            Log.Info("text");
            return Task.CompletedTask;
        });
        Assert.Equal(1, await EventFilter.Info("text").ExpectAsync(2, () =>
        {
            Log.Info("text");
            Log.Info("text");
            return Task.FromResult(1);
        }));
        await Assert.ThrowsAnyAsync<XunitException>(() => EventFilter.Info("text").ExpectAsync(1, Short, () => Task.CompletedTask));
    }

    [Fact]
    public void Errors_are_caught_by_their_cause()
    {
        var cause = new InvalidOperationException("outer", new NotSupportedException("inner"));
        EventFilter.Exception<InvalidOperationException>().ExpectOne(() => Log.Error(cause, "text"));
        EventFilter.Exception<InvalidOperationException>("text").ExpectOne(() => Log.Error(cause, "text"));
        EventFilter.Exception<InvalidOperationException>(start: "out").ExpectOne(() => Log.Error(cause, "text"));
        EventFilter.Exception<InvalidOperationException>(new Regex("^outer$")).ExpectOne(() => Log.Error(cause, "text"));
        EventFilter.Exception(typeof(NotSupportedException), checkInnerExceptions: true).ExpectOne(() => Log.Error(cause, "text"));
        EventFilter.Exception<NotSupportedException>().Expect(0, Short, () => Log.Error(cause, "text"));
        EventFilter.Exception<InvalidOperationException>().Expect(0, Short, () => Log.Error("text"));
    }

    [Fact]
    public void Events_are_caught_by_their_source()
    {
        var actor = Sys.ActorOf<Warner>("source");
        EventFilter.Warning("text", source: "/user/source").ExpectOne(() => actor.Tell("text"));
        EventFilter.Warning("text", source: actor.Path.ToString()).ExpectOne(() => actor.Tell("text"));
        EventFilter.Warning("text", source: "/user/other").Expect(0, Short, () => actor.Tell("text"));
    }

    [Fact]
    public void Dead_letters_are_caught_by_type_and_receiver()
    {
        var actor = Watch(Sys.ActorOf(Props.Empty, "dead"));
        Sys.Stop(actor);
        ExpectTerminated(actor);
        EventFilter.DeadLetter().ExpectOne(() => actor.Tell("a"));
        EventFilter.DeadLetter<string>("/user/dead").ExpectOne(() => actor.Tell("a"));
        EventFilter.DeadLetter<string>(s => s == "b").Expect(1, () =>
        {
            actor.Tell("a");
            actor.Tell("b");
        });
        EventFilter.DeadLetter(typeof(int)).Expect(0, Short, () => actor.Tell("a"));
    }

    [Fact]
    public void Unhandled_messages_are_warnings()
    {
        var actor = Sys.ActorOf<Akka.TestKit.TestActors.UnhandledMessageActor>();
        EventFilter.Warning(contains: "lost").ExpectOne(() => actor.Tell("lost"));
    }

    [Fact]
    public void A_mute_lasts_until_it_is_ended()
    {
        using (EventFilter.Info("text").Mute())
            Log.Info("text");
        var mute = EventFilter.Info("text").Mute();
        mute.Unmute();
        mute.Unmute();
        EventFilter.Info("text").ExpectOne(() => Log.Info("text"));
    }

    [Fact]
    public void Another_systems_events_are_filtered_too()
    {
        using var other = ActorSystem.Create("other", DefaultConfig);
        CreateEventFilter(other).Info("text").ExpectOne(() => other.Log.Info("text"));
        EventFilter.Info("text").Expect(0, Short, () => other.Log.Info("text"));
    }

    private sealed class Warner : ReceiveActor
    {
        public Warner()
        {
            var log = Context.GetLogger();
            Receive<string>(message => log.Warning(message));
        }
    }
}
