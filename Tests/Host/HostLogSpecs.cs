using Serilog.Events;
using Tapwire.Host;
using Xunit;

namespace Tapwire.Tests.Host;

public sealed class HostLogSpecs
{
    [Theory]
    [InlineData("DEBUG", LogEventLevel.Debug)]
    [InlineData("info", LogEventLevel.Information)]
    [InlineData("WARNING", LogEventLevel.Warning)]
    [InlineData("ERROR", LogEventLevel.Error)]
    [InlineData("OFF", LogEventLevel.Fatal)]
    public void The_level_of_the_settings_is_the_level_of_the_log(string akka, LogEventLevel serilog)
    {
        Assert.Equal(serilog, HostLog.SerilogLevel(akka));
        if (serilog != LogEventLevel.Fatal)
            Assert.Equal(akka.ToUpperInvariant(), HostLog.AkkaLevel(serilog));
    }
}
