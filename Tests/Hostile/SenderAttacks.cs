using Tapwire.Stack;
using Tapwire.Stack.Packets;

namespace Tapwire.Tests.Hostile;

/// <summary>Reports every second byte of what is in flight as arrived.</summary>
internal sealed class AlternateSacks(HostileWorld world, Random random) : TcpAttacker(world, random, HostileWorld.SourcePort)
{
    private uint _at;

    protected override TimeSpan Pace => TimeSpan.FromMilliseconds(Random.Next(1, 10));

    protected override void Act(Instant now)
    {
        // Slow start needs acknowledgements; with a large flight the reports begin.
        if (Flight < 400_000 && Random.Next(2) == 0)
            Peer.Una += (uint)Flight / 2;
        if (Random.Next(400) == 0)
            Peer.Una = Peer.RcvNxt;
        if (_at - Peer.Una >= (uint)Flight)
            _at = Peer.Una + (uint)Random.Next(1, 3);
        var header = Peer.Header();
        for (; header.SackCount < Peer.SackRoom && _at + 1 - Peer.Una < (uint)Flight; _at += 2)
            header.Sacks[header.SackCount++] = new SackBlock(_at, _at + 1);
        Peer.Send(header);
    }
}

/// <summary>Reports what was never sent, what is acknowledged already, and ranges that end before they begin.</summary>
internal sealed class SackLies(HostileWorld world, Random random) : TcpAttacker(world, random, HostileWorld.SourcePort)
{
    protected override void Act(Instant now)
    {
        var header = Peer.Header();
        for (var count = Random.Next(1, Peer.SackRoom + 1); header.SackCount < count;)
            header.Sacks[header.SackCount++] = new SackBlock(Near(Peer.RcvNxt), Near(Random.Next(2) == 0 ? Peer.RcvNxt : Peer.Una));
        Peer.Send(header);
        if (Random.Next(4) == 0)
            AcknowledgeAll();
    }
}

/// <summary>Reports segments as arrived, and then acknowledges as if they had not.</summary>
internal sealed class Reneging(HostileWorld world, Random random) : TcpAttacker(world, random, HostileWorld.SourcePort)
{
    protected override void Act(Instant now)
    {
        var flight = (uint)Flight;
        if (flight < 4000)
        {
            AcknowledgeAll();
            return;
        }

        var header = Peer.Header();
        for (var at = 1448u * (uint)Random.Next(1, 8); header.SackCount < Peer.SackRoom && at + 1448 <= flight; at += 1448 * (uint)Random.Next(2, 8))
            header.Sacks[header.SackCount++] = new SackBlock(Peer.Una + at, Peer.Una + at + 1448);
        Peer.Send(header);
        // Up to where a report began, and no report of it any more.
        if (Random.Next(4) == 0 && header.SackCount > 0)
        {
            Peer.Una = header.Sacks[0].Start;
            Peer.Send(Peer.Header());
        }
    }
}

/// <summary>Says of everything that it came twice, so that recoveries are taken back.</summary>
internal sealed class DuplicateReports(HostileWorld world, Random random) : TcpAttacker(world, random, HostileWorld.SourcePort)
{
    protected override void Act(Instant now)
    {
        var header = Peer.Header();
        if (Random.Next(3) == 0 && Flight > 6000)
        {
            // Something behind a gap makes it send again; what follows takes that back.
            header.Sacks[header.SackCount++] = new SackBlock(Peer.RcvNxt - 2896, Peer.RcvNxt);
            Peer.Send(header);
            return;
        }

        var length = (uint)Random.Next(1, 3000);
        header.Sacks[header.SackCount++] = new SackBlock(Peer.Una - length, Peer.Una);
        header.TimestampEcho = Random.Next(2) == 0 ? Peer.Echo : Peer.Echo - (uint)Random.Next(1000);
        Peer.Send(header);
        if (Random.Next(3) == 0)
        {
            Peer.Una += (uint)Random.Next(0, Math.Max(1, Math.Min(Flight, 3000)));
            Peer.Send(Peer.Header() with { TimestampEcho = Peer.Echo - (uint)Random.Next(50) });
        }
    }
}

/// <summary>Closes, opens, shrinks and swings its window.</summary>
internal sealed class WindowGames(HostileWorld world, Random random) : TcpAttacker(world, random, HostileWorld.SourcePort)
{
    protected override void Prepare(RawTcpPeer peer) => peer.WindowScale = (byte)Random.Next(16);

    protected override void Act(Instant now)
    {
        if (Random.Next(2) == 0)
            Peer.Una = Peer.RcvNxt;
        Peer.Send(Peer.Header() with
        {
            Window = (ushort)(Random.Next(5) switch { 0 => 0, 1 => 1, 2 => ushort.MaxValue, 3 => Random.Next(10), _ => Random.Next(65536) }),
        });
    }
}

/// <summary>Acknowledges what has not come yet, and byte by byte what has.</summary>
internal sealed class AckGames(HostileWorld world, Random random) : TcpAttacker(world, random, HostileWorld.SourcePort)
{
    protected override TimeSpan Pace => TimeSpan.FromMilliseconds(Random.Next(20, 100));

    protected override void Prepare(RawTcpPeer peer) => peer.Mss = (ushort)(Random.Next(2) == 0 ? 1 : 1460);

    protected override void Act(Instant now)
    {
        if (Random.Next(3) == 0)
        {
            Peer.Send(Peer.Header() with { Acknowledgment = Peer.RcvNxt + (uint)Random.Next(1, 30_000) });
            return;
        }

        for (var i = 0; i < 12 && Flight > 0; i++)
        {
            Peer.Una += 1;
            Peer.Send(Peer.Header());
        }

        if (Random.Next(10) == 0)
            AcknowledgeAll();
    }
}

/// <summary>Marks everything, echoes marks for ever, and claims to have reduced its window.</summary>
internal sealed class EcnGames(HostileWorld world, Random random) : TcpAttacker(world, random, HostileWorld.EchoPort)
{
    protected override void Prepare(RawTcpPeer peer) => peer.Ecn = true;

    protected override void Act(Instant now)
    {
        Peer.Una = Peer.RcvNxt;
        var flags = TcpFlags.Ack | (Random.Next(2) == 0 ? TcpFlags.Ece : 0) | (Random.Next(2) == 0 ? TcpFlags.Cwr : 0);
        var length = Math.Min(Random.Next(1, 1400), (int)Peer.Window);
        Peer.Send(Peer.Header(flags), length, trafficClass: (byte)Random.Next(4));
        Peer.SndNxt += (uint)length;
    }
}
