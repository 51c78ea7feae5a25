namespace Tapwire.Bench.EndToEnd.Contestants;

internal sealed class Lwip() : Contestant("lwip", "lwIP, TAP", Role.Peer, superFrames: false)
{
    protected override int Launch()
    {
        var pid = Start(Near, Programs.Lwip, Device, StackAddress);
        TakeDevice();
        return pid;
    }
}
