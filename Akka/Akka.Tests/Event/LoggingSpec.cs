using Akka.Actor;
using Akka.Configuration;
using Akka.Event;
using Xunit;

namespace Akka.Tests.Event;

public class LoggingSpec : Akka.TestKit.Xunit2.TestKit
{
    public LoggingSpec() : base(ConfigurationFactory.ParseString("""
        akka.loglevel = INFO
        akka.actor.debug.unhandled = on
        """)) { }

    [Fact]
    public void A_log_call_is_an_event_with_source_class_and_text()
    {
        Sys.EventStream.Subscribe(TestActor, typeof(Info));
        var actor = Sys.ActorOf(Props.Create(() => new Logs()), "logs");
        actor.Tell(new ApplicationException("why"));
        var info = ExpectMsg<Info>();
        Assert.Equal("akka://test/user/logs", info.LogSource);
        Assert.Equal(typeof(Logs), info.LogClass);
        Assert.Equal("one 1 two 2", info.Message.ToString());
        Assert.Equal("why", info.Cause.Message);
        Assert.Equal(LogLevel.InfoLevel, info.LogLevel());
        Assert.Contains("[INFO]", info.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_below_the_level_is_not_published()
    {
        Sys.EventStream.Subscribe(TestActor, typeof(LogEvent));
        var log = Logging.GetLogger(Sys, "source");
        Assert.False(log.IsDebugEnabled);
        log.Debug("not {0}", "this");
        log.Warning("this");
        Assert.Equal("this", ExpectMsg<Warning>().Message.ToString());
    }

    [Fact]
    public void The_values_of_a_message_are_formatted_only_where_it_is_printed()
    {
        Sys.EventStream.Subscribe(TestActor, typeof(Info));
        Logging.GetLogger(Sys, "source").Info("value {0}", 5);
        var message = Assert.IsAssignableFrom<LogMessage>(ExpectMsg<Info>().Message);
        Assert.Equal("value {0}", message.Format);
        Assert.Equal("value 5", message.ToString());
    }

    [Fact]
    public void Sources_have_names()
    {
        Assert.Equal("text(akka://test)", LogSource.Create("text", Sys).Source);
        Assert.Equal($"{nameof(LoggingSpec)}(akka://test)", LogSource.Create(this, Sys).Source);
        Assert.Equal(TestActor.Path.ToString(), LogSource.Create(TestActor, Sys).Source);
    }

    [Theory]
    [InlineData("debug", LogLevel.DebugLevel)]
    [InlineData("INFO", LogLevel.InfoLevel)]
    [InlineData("Warning", LogLevel.WarningLevel)]
    [InlineData("error", LogLevel.ErrorLevel)]
    public void Levels_are_read_by_name(string name, LogLevel level) => Assert.Equal(level, Logging.LogLevelFor(name));

    [Fact]
    public void An_unknown_level_is_refused() => Assert.Throws<ArgumentException>(() => Logging.LogLevelFor("loud"));

    [Fact]
    public void Unhandled_messages_are_logged_when_asked_for()
    {
        Sys.EventStream.Subscribe(TestActor, typeof(Debug));
        Sys.EventStream.Publish(new UnhandledMessage("what", TestActor, TestActor));
        Assert.Contains("what", ExpectMsg<Debug>().Message.ToString(), StringComparison.Ordinal);
    }

    private sealed class Logs : UntypedActor
    {
        private readonly ILoggingAdapter _log = Context.GetLogger();

        protected override void OnReceive(object message) => _log.Info((Exception)message, "one {0} two {1}", 1, 2);
    }
}
