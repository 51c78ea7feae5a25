using Akka.Actor;
using Tapwire.Actors;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Actors.Support;
using Xunit;

namespace Tapwire.Tests.Actors;

/// <summary>Faults of the driver's own, and of the resolver that it is given.</summary>
public sealed class DriverFaultSpecs : DriverSetup
{
    private CountingClock _clock = null!;
    private Props? _resolver;

    [Fact]
    public void A_driver_that_fails_ends_and_is_not_made_again_with_what_it_has_used_up()
    {
        Peer.Listen(80);
        using var app = OpenConnected(80);
        Watch(Driver);
        _clock.FailsNext = true;
        EventFilter.Exception<InvalidTimeZoneException>().ExpectOne(() => Driver.Tell(Tapwire.Messages.StopDriver.Instance));
        ExpectTerminated(Driver);
        Assert.True(Wire.Disposed);
        app.Read();
        Assert.True(app.SawReset);
    }

    [Fact]
    public void A_resolver_that_cannot_be_made_fails_the_driver_which_says_so()
    {
        _resolver = Props.Create(() => new Unmakeable());
        Assert.True(ExposeSpec.TryParse("tcp:80=127.0.0.1:8080", out var exposed, out _));
        var settings = Settings with { Expose = [exposed] };
        var wire = new MemoryWire("other");
        using var muted = EventFilter.Error(start: "The driver stops").Mute();
        var driver = StartDriver("failing", settings, wire, null);
        Watch(driver);
        // It is made for the first name that is looked up; who asks is answered, too.
        Session.IgnoreMessages(static answer => answer is Resolved);
        EventFilter.Exception<ActorInitializationException>().ExpectOne(() => Sys.ActorSelection(driver.Path / "names").Tell(new Resolve("somewhere"), Session));
        RunUntil(() => wire.Disposed);
        driver.Tell(WhenReady.Instance, Session);
        Assert.Contains("names", Session.ExpectMsg<DriverFailed>().Reason, StringComparison.Ordinal);
        ExpectTerminated(driver);
    }

    protected override DriverContext Adapted(DriverContext context)
    {
        _clock ??= new CountingClock(Scheduler);
        context = context with { Clock = _clock };
        return _resolver is null ? context : context with { Resolver = _resolver };
    }

    private sealed class Unmakeable : ReceiveActor
    {
        public Unmakeable() => throw new FormatException("A fault on purpose.");
    }
}
