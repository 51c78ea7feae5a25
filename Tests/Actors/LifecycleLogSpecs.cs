using Akka.Event;
using Akka.TestKit;
using Tapwire.Actors;
using Tapwire.Tests.Actors.Dhcp;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>Addresses that come and go by what routers say are in the log.</summary>
public sealed class LifecycleLogSpecs : Dhcp6Setup
{
    private readonly TestProbe _log;

    public LifecycleLogSpecs()
        : base("""
            slaac = temporary
            state-directory = off
            dns.hosts-file = ""
            """, routerFlags: 0) => _log = CreateTestProbe("log");

    protected override DriverContext Adapted(DriverContext context)
    {
        Sys.EventStream.SetLogLevel(LogLevel.InfoLevel);
        return base.Adapted(context);
    }

    [Fact]
    public void Addresses_of_a_routers_prefix_are_told_in_one_line_when_they_come_and_in_one_when_they_go()
    {
        Sys.EventStream.Subscribe(_log, typeof(Info));
        (Server.PrefixFlags, Server.PrefixLifetime) = (0xC0, 60);
        RunUntil(() => Addresses().Count == 2);
        var both = string.Join(", ", Addresses().Select(static each => each.Split('/')[0]));
        RunUntil(() => Addresses().Count == 0);
        Advance(TimeSpan.FromSeconds(5));
        Assert.Equal([$"tw0: has {both} of a router's prefix", $"tw0: {both} has gone, which was of a router's prefix"], Lines().Where(static line => line.Contains("router's prefix", StringComparison.Ordinal)));
    }

    private List<string> Lines()
    {
        var lines = new List<string>();
        while (_log.HasMessages)
            lines.Add(_log.ExpectMsg<Info>().Message.ToString()!.Replace("\"", "", StringComparison.Ordinal));
        return lines;
    }
}
