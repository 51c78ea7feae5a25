using System.Collections.Concurrent;
using Akka.Actor;
using Akka.Event;
using Akka.Logger.Serilog;
using Serilog;
using Serilog.Core;
using Serilog.Core.Enrichers;
using Serilog.Events;
using Xunit;
using SerilogEvent = Serilog.Events.LogEvent;
using SerilogLog = Serilog.Log;

namespace Akka.Tests.Serilog;

public sealed class SerilogSpec : Akka.TestKit.Xunit2.TestKit
{
    private readonly Sink _sink = new();

    public SerilogSpec()
        : base("""
            akka {
              loglevel = DEBUG
              stdout-loglevel = OFF
              loggers = ["Akka.Logger.Serilog.SerilogLogger, Akka.Logger.Serilog"]
              logger-formatter = "Akka.Logger.Serilog.SerilogLogMessageFormatter, Akka.Logger.Serilog"
            }
            """) => SerilogLog.Logger = new LoggerConfiguration().MinimumLevel.Debug().WriteTo.Sink(_sink).CreateLogger();

    protected override void AfterAll()
    {
        base.AfterAll();
        SerilogLog.CloseAndFlush();
    }

    [Theory]
    [InlineData(LogLevel.DebugLevel, LogEventLevel.Debug)]
    [InlineData(LogLevel.InfoLevel, LogEventLevel.Information)]
    [InlineData(LogLevel.WarningLevel, LogEventLevel.Warning)]
    [InlineData(LogLevel.ErrorLevel, LogEventLevel.Error)]
    public void Every_level_is_passed_on_with_its_cause(LogLevel level, LogEventLevel expected)
    {
        var cause = new InvalidOperationException("cause");
        Sys.Log.Log(level, cause, "text {0}", 1);
        var logged = Next("text");
        Assert.Equal((expected, cause, "text 1"), (logged.Level, logged.Exception, logged.RenderMessage()));
    }

    [Fact]
    public void Named_properties_of_the_template_are_kept()
    {
        Sys.GetLogger<SerilogLoggingAdapter>(this).Info("{Frames} frames from {Peer}", 42, "10.99.0.1");
        var logged = Next("frames");
        Assert.Equal("{Frames} frames from {Peer}", logged.MessageTemplate.Text);
        Assert.Equal("42 frames from \"10.99.0.1\"", logged.RenderMessage());
        Assert.Equal(42, Scalar(logged, "Frames"));
        Assert.Equal("10.99.0.1", Scalar(logged, "Peer"));
    }

    [Fact]
    public void An_event_says_where_it_comes_from()
    {
        var actor = Sys.ActorOf<Talking>("talking");
        actor.Tell("hello");
        var logged = Next("hello");
        Assert.Equal(actor.Path.ToString(), Scalar(logged, "ActorPath")?.ToString());
        Assert.Contains(actor.Path.ToString(), (string)Scalar(logged, "LogSource")!, StringComparison.Ordinal);
        Assert.Equal(typeof(Talking).FullName, Scalar(logged, "SourceContext"));
        Assert.Matches("^[0-9]{4,}$", (string)Scalar(logged, "Thread")!);
        Assert.IsType<DateTime>(Scalar(logged, "Timestamp"));
        Assert.Equal(7, Scalar(logged, "Connection"));
    }

    [Fact]
    public void Context_properties_add_up_and_leave_the_first_adapter_alone()
    {
        var plain = Sys.GetLogger<SerilogLoggingAdapter>("source", typeof(SerilogSpec));
        var one = plain.ForContext("One", 1);
        var two = one.ForContext("Two", new { Part = 2 }, destructureObjects: true);
        two.Info("text of {Three}", 3);
        var logged = Next("text");
        Assert.Equal((1, 3), (Scalar(logged, "One"), Scalar(logged, "Three")));
        Assert.IsType<StructureValue>(logged.Properties["Two"]);
        one.Info("other text");
        Assert.False(Next("other").Properties.ContainsKey("Two"));
        plain.Info("plain text");
        Assert.False(Next("plain").Properties.ContainsKey("One"));
    }

    [Fact]
    public void A_message_may_bring_enrichers_and_a_plain_adapter_takes_no_context()
    {
        Sys.Log.ForContext("One", 1).Info("text {Two}", 2, new PropertyEnricher("Three", 3));
        var logged = Next("text");
        Assert.False(logged.Properties.ContainsKey("One"));
        Assert.Equal((2, 3), (Scalar(logged, "Two"), Scalar(logged, "Three")));
        Assert.Equal("text 2", logged.RenderMessage());
    }

    [Fact]
    public void Nothing_is_formatted_for_a_level_that_is_off()
    {
        SerilogLog.Logger = new LoggerConfiguration().MinimumLevel.Information().WriteTo.Sink(_sink).CreateLogger();
        var costly = new Costly();
        Sys.Log.Debug("off {Costly}", costly);
        Sys.Log.Info("on");
        Next("on");
        Assert.Equal(0, costly.Formatted);
        Assert.DoesNotContain(_sink.Events, e => e.Properties.ContainsKey("Costly"));
    }

    [Fact]
    public void A_minimum_level_of_a_class_is_kept()
    {
        SerilogLog.Logger = new LoggerConfiguration()
            .MinimumLevel.Warning().MinimumLevel.Override(typeof(Talking).FullName!, LogEventLevel.Debug).WriteTo.Sink(_sink).CreateLogger();
        Sys.Log.Info("too low {Mark}", 1);
        Sys.ActorOf<Talking>().Tell("high enough");
        Next("high enough");
        Assert.DoesNotContain(_sink.Events, e => e.Properties.ContainsKey("Mark"));
    }

    [Fact]
    public void Events_keep_their_text_for_other_subscribers()
    {
        Sys.EventStream.Subscribe(TestActor, typeof(Info));
        Sys.Log.Info("{Frames} frames", 42);
        Assert.Equal("42 frames", FishForMessage<Info>(info => info.Message.ToString()!.Contains("frames", StringComparison.Ordinal)).Message.ToString());
        Sys.GetLogger<SerilogLoggingAdapter>(this).ForContext("One", 1).Info("{Frames} frames", 43);
        Assert.Equal("43 frames", ExpectMsg<Info>().Message.ToString());
    }

    [Theory]
    [InlineData("no placeholder", "no placeholder")]
    [InlineData("{Name} is {Age}", "\"Ann\" is 7")]
    [InlineData("{1} is of {0}", "7 is of \"Ann\"")]
    [InlineData("{0}, {0}", "\"Ann\", \"Ann\"")]
    [InlineData("{Name:l} is {Age:000}", "Ann is 007")]
    [InlineData("{A} {B} {C}", "\"Ann\" 7 {C}")]
    [InlineData("brace { alone", "brace { alone")]
    public void Templates_are_formatted_as_serilog_does(string template, string expected)
    {
        Assert.Equal(expected, SerilogLogMessageFormatter.Instance.Format(template, "Ann", 7));
        Assert.Equal(expected, SerilogLogMessageFormatter.Instance.Format(template, (IEnumerable<object>)["Ann", 7]));
    }

    private static object? Scalar(SerilogEvent logEvent, string name) =>
        logEvent.Properties.TryGetValue(name, out var value) ? ((ScalarValue)value).Value : null;

    private SerilogEvent Next(string part)
    {
        SerilogEvent? found = null;
        AwaitCondition(
            () => (found = _sink.Events.FirstOrDefault(e => e.RenderMessage().Contains(part, StringComparison.Ordinal))) is not null,
            TimeSpan.FromSeconds(10));
        return found!;
    }

    private sealed class Sink : ILogEventSink
    {
        public ConcurrentQueue<SerilogEvent> Events { get; } = new();

        public void Emit(SerilogEvent logEvent) => Events.Enqueue(logEvent);
    }

    private sealed class Costly
    {
        private int _formatted;

        public int Formatted => Volatile.Read(ref _formatted);

        public override string ToString()
        {
            Interlocked.Increment(ref _formatted);
            return "costly";
        }
    }

    private sealed class Talking : ReceiveActor
    {
        public Talking()
        {
            var log = Context.GetLogger<SerilogLoggingAdapter>().ForContext("Connection", 7);
            Receive<string>(message => log.Info(message));
        }
    }
}
