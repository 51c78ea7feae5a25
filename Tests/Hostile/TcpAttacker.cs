using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;

namespace Tapwire.Tests.Hostile;

/// <summary>A peer that has connections with the victim, one after another, and plays one kind of game on them.</summary>
internal abstract class TcpAttacker(HostileWorld world, Random random, ushort service)
{
    private static readonly TimeSpan Handshake = TimeSpan.FromSeconds(3);

    private Instant _until;
    private RawTcpPeer? _peer;
    private ushort _port;

    protected Random Random => random;

    protected HostileWorld World => world;

    protected RawTcpPeer Peer => _peer!;

    /// <summary>When it acts next.</summary>
    public Instant NextAt { get; private set; } = Instant.Zero;

    /// <summary>Handshakes that were done.</summary>
    public long Connections { get; private set; }

    /// <summary>Time between two acts, before <see cref="HostileWorld.Slowness"/>.</summary>
    protected virtual TimeSpan Pace => TimeSpan.FromMilliseconds(random.Next(2, 40));

    public void Step(Instant now)
    {
        if (_peer is null || now >= _until || _peer.IsReset)
        {
            Begin(now);
            return;
        }

        if (!_peer.IsOpen)
        {
            NextAt = _until;
            return;
        }

        Peer.Clock = (uint)(now.Ticks / TimeSpan.TicksPerMillisecond);
        Act(now);
        NextAt = now + Pace * world.Slowness;
    }

    public void Hear(in TcpHeader header, int payload)
    {
        if (_peer is null)
            return;
        var wasOpen = Peer.IsOpen;
        Peer.Hear(header, payload);
        if (!wasOpen && Peer.IsOpen)
        {
            Connections++;
            _until = world.Now + TimeSpan.FromSeconds(random.Next(5, 150));
            NextAt = world.Now + Pace * world.Slowness;
        }
    }

    /// <summary>Options of a new connection.</summary>
    protected virtual void Prepare(RawTcpPeer peer)
    {
    }

    /// <summary>It is time for a move.</summary>
    protected abstract void Act(Instant now);

    /// <summary>Acknowledges all that has come, as an honest peer does.</summary>
    protected void AcknowledgeAll()
    {
        Peer.Una = Peer.RcvNxt;
        Peer.Send(Peer.Header());
    }

    /// <summary>What the victim has in flight as far as it shows.</summary>
    protected int Flight => (int)(Peer.RcvNxt - Peer.Una);

    /// <summary>A number near another one, or not.</summary>
    protected uint Near(uint value) => random.Next(6) switch
    {
        0 => value + (uint)random.Next(-100_000, 100_000),
        1 => value + (uint)random.Next(-3, 4),
        2 => (uint)random.NextInt64(1L << 32),
        _ => value,
    };

    private void Begin(Instant now)
    {
        // Some take their leave, most are just gone.
        if (_peer is { IsOpen: true, IsReset: false } && random.Next(3) == 0)
            Peer.Send(Peer.Header(TcpFlags.Rst) with { Sequence = Peer.Acknowledged });
        var old = _port;
        _port = world.NextPort();
        world.Rebind(this, old, _port);
        _peer = new RawTcpPeer(
            world.Pool, HostileWorld.AttackerMac, HostileWorld.VictimMac, new IpEndpoint(world.AttackerIp, _port),
            new IpEndpoint(world.VictimIp, service), world.SendToVictim, (uint)random.NextInt64(1L << 32))
        {
            Clock = (uint)(now.Ticks / TimeSpan.TicksPerMillisecond),
        };
        Prepare(_peer);
        _peer.Connect();
        _until = now + Handshake;
        NextAt = _until;
    }
}
