using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Tests.Hostile;

/// <summary>Sends every second byte of the window, in any order, over and over, and seldom what would fill a gap.</summary>
internal sealed class OutOfOrderFlood(HostileWorld world, Random random) : TcpAttacker(world, random, HostileWorld.DiscardPort)
{
    protected override TimeSpan Pace => TimeSpan.FromMilliseconds(Random.Next(1, 10));

    protected override void Act(Instant now)
    {
        Peer.Una = Peer.RcvNxt;
        var next = Peer.Acknowledged;
        var window = Math.Max(4, (int)Math.Min(Peer.Window, 60_000));
        var header = Peer.Header();
        switch (Random.Next(12))
        {
            case 0:
                Peer.Send(header with { Sequence = next }, Random.Next(1, 1400));
                break;
            case 1:
                // Over much that is there.
                Peer.Send(header with { Sequence = next + (uint)Random.Next(1, window) }, Random.Next(1, 1400));
                break;
            default:
                Peer.Send(header with { Sequence = next + 1 + 2 * (uint)Random.Next(window / 2) }, 1);
                break;
        }

        Peer.SndNxt = next;
    }
}

/// <summary>Everything in segments of one byte, both ways.</summary>
internal sealed class OneByteEverything(HostileWorld world, Random random) : TcpAttacker(world, random, HostileWorld.EchoPort)
{
    protected override TimeSpan Pace => TimeSpan.FromMilliseconds(Random.Next(2, 10));

    protected override void Prepare(RawTcpPeer peer) => peer.Mss = 1;

    protected override void Act(Instant now)
    {
        for (var i = 0; i < 4 && Peer.SndNxt - Peer.Acknowledged < Peer.Window; i++)
        {
            Peer.Send(Peer.Header(), 1);
            Peer.SndNxt++;
        }

        if (Flight > 0)
            Peer.Una++;
        if (Flight > 5000)
            Peer.Una = Peer.RcvNxt;
    }
}

/// <summary>Timestamps that go back, leap, and stop.</summary>
internal sealed class TimestampGames(HostileWorld world, Random random) : TcpAttacker(world, random, HostileWorld.EchoPort)
{
    protected override void Act(Instant now)
    {
        Peer.Una = Peer.RcvNxt;
        var clock = Peer.Clock;
        var length = Math.Min(Random.Next(0, 1400), (int)Peer.Window);
        Peer.Send(Peer.Header() with
        {
            Sequence = Peer.Acknowledged,
            HasTimestamp = Random.Next(5) != 0,
            TimestampValue = Random.Next(4) switch { 0 => clock - 100_000, 1 => clock + 1_000_000, 2 => clock ^ 0x8000_0000, _ => clock },
            TimestampEcho = Near(Peer.Echo),
        }, length);
    }
}

/// <summary>Urgent pointers anywhere, on anything.</summary>
internal sealed class UrgentGames(HostileWorld world, Random random) : TcpAttacker(world, random, HostileWorld.EchoPort)
{
    protected override void Act(Instant now)
    {
        Peer.Una = Peer.RcvNxt;
        var length = Math.Min(Random.Next(0, 200), (int)Peer.Window);
        Peer.Send(Peer.Header(TcpFlags.Ack | TcpFlags.Urg) with
        {
            Sequence = Peer.Acknowledged + (Random.Next(3) == 0 ? (uint)Random.Next(1, 1000) : 0),
            UrgentPointer = (ushort)(Random.Next(3) switch { 0 => 0, 1 => Random.Next(200), _ => Random.Next(65536) }),
        }, length);
    }
}

/// <summary>Resets and SYNs in the window, on its own connection, a few of them exact; and blindly, in the honest client's name, on that one's, of which it knows the ports.</summary>
internal sealed class InWindowProbes(HostileWorld world, Random random) : TcpAttacker(world, random, HostileWorld.DiscardPort)
{
    protected override void Act(Instant now)
    {
        var flags = Random.Next(3) switch { 0 => TcpFlags.Rst, 1 => TcpFlags.Syn, _ => TcpFlags.Rst | TcpFlags.Ack };
        // Exact ones are rare, for they succeed.
        var offset = Random.Next(200) == 0 ? 0 : (uint)Random.Next(1, 60_000);
        Peer.Send(Peer.Header(flags) with { Sequence = Peer.Acknowledged + offset });
        Peer.Send(Peer.Header() with { Acknowledgment = Near(Peer.RcvNxt) });
        if (World.Honest.Local is not { } honest)
            return;
        var forged = new RawTcpPeer(
            World.Pool, HostileWorld.AttackerMac, HostileWorld.VictimMac, honest, new IpEndpoint(World.VictimIp, HostileWorld.EchoPort), World.SendToVictim, 0);
        forged.Send(forged.Header(flags) with { Sequence = (uint)Random.NextInt64(1L << 32), Acknowledgment = (uint)Random.NextInt64(1L << 32) });
    }
}

/// <summary>FINs early, late, again and with data; data behind them.</summary>
internal sealed class FinGames(HostileWorld world, Random random) : TcpAttacker(world, random, HostileWorld.EchoPort)
{
    protected override void Act(Instant now)
    {
        if (Random.Next(2) == 0)
            Peer.Una = Peer.RcvNxt;
        var flags = TcpFlags.Ack | (Random.Next(3) == 0 ? TcpFlags.Fin : 0);
        Peer.Send(Peer.Header(flags) with { Sequence = Peer.Acknowledged + (uint)(Random.Next(2) == 0 ? 0 : Random.Next(3000)) }, Random.Next(3) == 0 ? 0 : Random.Next(1400));
    }
}

/// <summary>Segments that are nearly right in every respect.</summary>
internal sealed class AnythingGoes(HostileWorld world, Random random) : TcpAttacker(world, random, (ushort)(random.Next(2) == 0 ? HostileWorld.EchoPort : HostileWorld.SourcePort))
{
    protected override void Act(Instant now)
    {
        if (Random.Next(3) == 0)
            Peer.Una = Peer.RcvNxt;
        var header = Peer.Header(Random.Next(4) == 0 ? (TcpFlags)Random.Next(256) : TcpFlags.Ack) with
        {
            Sequence = Near(Peer.Acknowledged),
            Acknowledgment = Near(Peer.RcvNxt),
            Window = (ushort)Random.Next(65536),
            UrgentPointer = (ushort)Random.Next(65536),
        };
        for (var blocks = Random.Next(4); header.SackCount < blocks;)
            header.Sacks[header.SackCount++] = new SackBlock(Near(Peer.Una), Near(Peer.RcvNxt));
        Peer.Send(header, Random.Next(2) == 0 ? 0 : Random.Next(1400), (byte)Random.Next(4));
    }
}
