namespace Tapwire.Bench.EndToEnd.Contestants;

/// <summary>gVisor's netstack on a link of one of the kinds that its program knows.</summary>
internal sealed class GvisorNetstack(string name, string title, string link, bool superFrames) : Contestant(name, title, Role.Peer, superFrames)
{
    private const string Packet = "packet";
    private const string FarDevice = "tw1";

    public static GvisorNetstack OnTap() => new("gvisor-plain", "gVisor, TAP", "tap", superFrames: false);

    public static GvisorNetstack OnTapWithGso() => new("gvisor-tap", "gVisor, TAP with GSO", "tap-gso", superFrames: true);

    public static GvisorNetstack OnPacketSocket() => new("gvisor-packet", "gVisor, AF_PACKET with GSO", Packet, superFrames: true);

    protected override int Launch()
    {
        var program = Programs.Gvisor;
        if (link == Packet)
        {
            var far = NewNetwork();
            JoinBy(FarDevice, far);
            return Start(far, program, link, FarDevice, StackAddress);
        }

        var pid = Start(Near, program, link, Device, StackAddress);
        TakeDevice();
        return pid;
    }
}
