using System.Collections.Concurrent;
using System.Globalization;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Tapwire.Actors.Link;
using Tapwire.Host;
using Tapwire.Configuration;
using Tapwire.Links;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Wires;
using Xunit;

namespace Tapwire.Tests.Host;

[Collection(HostCollection.Name)]
public sealed class HostLogSpecs
{
    [Fact]
    public async Task What_actors_and_host_say_reaches_the_log_with_where_it_comes_from()
    {
        var events = new Collected();
        var directory = Directory.CreateTempSubdirectory("tapwire-log-");
        var before = Log.Logger;
        Log.Logger = new LoggerConfiguration().MinimumLevel.Debug().Enrich.With<LogOrigin>().WriteTo.Sink(events).CreateLogger();
        try
        {
            using var cable = new Cable(new CableOptions(), TimeProvider.System);
            var configuration = HostConfiguration.Load(null, "akka.loglevel = INFO");
            var settings = configuration.Settings with { Addresses = [IpPrefix.Parse("10.99.0.1/24")] };
            var path = Path.Combine(directory.FullName, "link.sock");
            await using (await RunningDriver.StartAsync("spec", configuration.Config, settings, [[cable.A]], _ => throw new WireException("The cable is cut."),
                LinkListener.Listen(path), new BufferPool()))
            {
                // What actors say goes by a mailbox to the log, and a driver that stops at once can be faster.
                await events.Linked.WaitAsync(TimeSpan.FromSeconds(20));
            }

            var link = Assert.Single(events, Collected.IsLink);
            Assert.Equal(path, Text(link, "Path"));
            Assert.Equal("driver/link", Text(link, LogOrigin.Property));
            Assert.StartsWith("akka://spec/user/driver/link", Text(link, "ActorPath"), StringComparison.Ordinal);
            Assert.Contains("akka://spec/user/driver/link", Text(link, "LogSource"), StringComparison.Ordinal);
            Assert.Equal(typeof(LinkActor).FullName, Text(link, "SourceContext"));

            var host = Assert.Single(events, static logged => logged.MessageTemplate.Text == "Hosting started");
            Assert.Equal("Host", Text(host, LogOrigin.Property));
        }
        finally
        {
            await Log.CloseAndFlushAsync();
            Log.Logger = before;
            directory.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("[akka://tapwire/user/driver/stack#12]", "Tapwire.Actors.StackActor", "driver/stack#12")]
    [InlineData("akka://tapwire/user/driver/tap-shard1", "Tapwire.Actors.TapActor", "driver/tap-shard1")]
    [InlineData("CoordinatedShutdown(akka://tapwire)", "Akka.Actor.CoordinatedShutdown", "CoordinatedShutdown")]
    [InlineData(null, "Microsoft.Extensions.Hosting.Internal.Host", "Host")]
    [InlineData(null, null, "tapwire")]
    public void The_origin_of_a_line_is_the_actor_or_else_the_class(string? source, string? type, string origin)
    {
        var events = new Collected();
        using var logger = new LoggerConfiguration().Enrich.With<LogOrigin>().WriteTo.Sink(events).CreateLogger();
        ILogger log = logger;
        if (source is not null)
            log = log.ForContext("LogSource", source);
        if (type is not null)
            log = log.ForContext("SourceContext", type);
        log.Information("x");
        Assert.Equal(origin, Text(Assert.Single(events), LogOrigin.Property));
    }

    [Theory]
    [InlineData(LogFormat.Text, @"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d\d:\d\d WRN Wire tw0 is lost \[driver/tap\]\n$")]
    [InlineData(LogFormat.Json, @"^\{""@t"":""[^""]+"",""@mt"":""Wire \{Wire\} is lost"",""@l"":""Warning"",""Wire"":""tw0"",""Origin"":""driver/tap""\}\r?\n$")]
    [InlineData(LogFormat.Journal, @"^<4>Wire tw0 is lost \[driver/tap\]\n$")]
    public void A_line_has_date_and_offset_or_is_an_object_or_is_as_the_journal_takes_it(object format, string expected)
    {
        var line = new StringWriter(CultureInfo.InvariantCulture);
        var events = new Collected();
        using var logger = new LoggerConfiguration().WriteTo.Sink(events).CreateLogger();
        logger.ForContext(LogOrigin.Property, "driver/tap").Warning("Wire {Wire} is lost", "tw0");
        HostLog.FormatterOf((LogFormat)format).Format(Assert.Single(events), line);
        Assert.Matches(expected, line.ToString());
    }

    [Fact]
    public void The_journal_is_known_by_device_and_inode()
    {
        Assert.True(JournalStream.Names("8:34567", 0, 8, 34567));
        Assert.True(JournalStream.Names("64769:2", 253, 1, 2));
        Assert.False(JournalStream.Names("8:34567", 0, 8, 34568));
        Assert.False(JournalStream.Names("journal", 0, 8, 34567));
    }

    [Theory]
    [InlineData(StackError.ConnectionRefused, "Connection refused")]
    [InlineData(StackError.AddressInUse, "Address already in use")]
    [InlineData(StackError.None, "in order")]
    public void An_error_of_the_stack_is_logged_as_the_system_calls_it(StackError error, string words)
    {
        var events = new Collected();
        using var logger = new LoggerConfiguration().Enrich.With<LogWords>().WriteTo.Sink(events).CreateLogger();
        logger.Information("{Count} of {Peer}: {Error} after {Pause}", 1, "peer", error, TimeSpan.FromMilliseconds(1500));
        Assert.Equal($"1 of \"peer\": \"{words}\" after \"1.5s\"", Assert.Single(events).RenderMessage(CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("DEBUG", LogEventLevel.Debug)]
    [InlineData("info", LogEventLevel.Information)]
    [InlineData("WARNING", LogEventLevel.Warning)]
    [InlineData("ERROR", LogEventLevel.Error)]
    [InlineData("OFF", LogEventLevel.Fatal)]
    public void The_level_of_the_settings_is_the_level_of_the_log(string akka, LogEventLevel serilog)
    {
        Assert.Equal(serilog, HostLog.SerilogLevel(akka));
        Assert.Equal(akka.ToUpperInvariant(), HostLog.AkkaLevel(serilog));
    }

    private static string? Text(LogEvent logged, string property) => ((ScalarValue)logged.Properties[property]).Value?.ToString();

    private sealed class Collected : ConcurrentQueue<LogEvent>, ILogEventSink
    {
        private readonly TaskCompletionSource _linked = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Ends when the link has said where applications connect.</summary>
        public Task Linked => _linked.Task;

        public static bool IsLink(LogEvent logged) => logged.MessageTemplate.Text.StartsWith("Applications connect", StringComparison.Ordinal);

        public void Emit(LogEvent logEvent)
        {
            Enqueue(logEvent);
            if (IsLink(logEvent))
                _linked.TrySetResult();
        }
    }
}
