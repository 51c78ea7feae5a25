using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Tapwire.Tests.Sim;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>What strangers can do to a listener: its users hardly notice, and memory stays bounded.</summary>
public class SynFloodSpec
{
    private static readonly TcpOptions Server = new() { MaxEmbryonic = 256, MaxEmbryonicPerListener = 128 };

    internal static void Arrive(SimWorld world, uint source, TcpHeader header)
    {
        var buffer = world.Pool.Rent(header.Length);
        header.Emit(buffer.Append(header.Length));
        var from = IpAddress.FromV4(source);
        SimChecksum.Fill(buffer.Span, from, SimWorld.RightAddress);
        world.Right.Tcp.Receive(buffer, new IpReceiveInfo(from, SimWorld.RightAddress, 64, 0, false), world.Now);
    }

    /// <summary>Answers to strangers go nowhere.</summary>
    private static SimWorld Start()
    {
        var world = new SimWorld(3, new Impairments { Latency = TimeSpan.FromMilliseconds(5) }, right: Server);
        world.Listen(backlog: 16);
        world.OnAccept = socket => new SimStream(world.Right, socket, world.Random, 20_000, 300_000, 1, 2);
        return world;
    }

    /// <summary>A transfer both ways, with strangers' segments between any two steps.</summary>
    private static void Transfer(SimWorld world, Action flood)
    {
        var client = world.Add(new SimStream(world.Left, world.Connect(), world.Random, 300_000, 20_000, 2, 1));
        world.RunUntil(
            () =>
            {
                flood();
                Assert.InRange(world.Right.Tcp.EmbryonicCount, 0, 256);
                return client.Finished;
            },
            TimeSpan.FromMinutes(1));
    }

    [Fact]
    public void A_hundred_thousand_syns_neither_fill_memory_nor_keep_a_client_out()
    {
        var world = Start();
        var random = new Random(4);
        var left = 100_000;

        void Flood(int count)
        {
            for (; count > 0 && left > 0; count--, left--)
            {
                Arrive(world, (uint)random.Next() | 0x20000000, new TcpHeader
                {
                    SourcePort = (ushort)random.Next(1, 65536), DestinationPort = 80, Flags = TcpFlags.Syn, Sequence = (uint)random.Next(),
                    Window = 65535, Mss = 1460, SackPermitted = true, HasTimestamp = true, TimestampValue = (uint)random.Next(), HasWindowScale = true,
                    WindowScale = 7,
                });
                world.Right.Discard();
            }
        }

        Flood(60_000);
        Assert.Equal((128, 128, 0), (world.Right.Tcp.EmbryonicCount, world.Right.Timers.Count, world.Right.Tcp.Count));
        Transfer(world, () => Flood(300));
        Flood(left);
        Assert.Equal(1, world.Right.Counters.TcpExtSyncookiesRecv);
        Assert.InRange(world.Right.Counters.TcpExtSyncookiesSent, 99_000, 100_001);
        Assert.Equal(0, world.Right.Counters.TcpExtSyncookiesFailed);
    }

    [Fact]
    public void Acknowledgements_with_guessed_cookies_open_nothing()
    {
        var world = Start();
        var random = new Random(5);
        world.Right.Tcp.Listen(new IpEndpoint(SimWorld.RightAddress, 81), 1, default, out _);
        for (ushort port = 1; port <= 200; port++)
            Arrive(world, 0x20000001, new TcpHeader { SourcePort = port, DestinationPort = 80, Flags = TcpFlags.Syn, Sequence = port });
        for (var i = 0; i < 50_000; i++)
        {
            Arrive(world, (uint)random.Next() | 0x20000000, new TcpHeader
            {
                SourcePort = 1000, DestinationPort = (ushort)(80 + i % 2), Flags = TcpFlags.Ack, Sequence = 1,
                Acknowledgment = (uint)random.NextInt64(1L << 32), Window = 65535,
            });
            world.Right.Discard();
        }

        Assert.Equal(0, world.Right.Tcp.Count);
        // A few look like later segments of somebody who has a cookie: 1 in 32,768.
        Assert.InRange(world.Right.Counters.TcpExtSyncookiesFailed, 24_990, 25_000);
        // Resets are bounded too.
        Assert.InRange(world.Right.Counters.TcpOutRsts, 1, new TcpOptions().ResetsPerSecond);
    }

    [Fact]
    public void Port_scans_and_floods_of_resets_do_not_disturb_a_transfer()
    {
        var world = Start();
        var random = new Random(6);
        var flags = new[]
        {
            TcpFlags.Syn, TcpFlags.Fin, TcpFlags.None, TcpFlags.Fin | TcpFlags.Psh | TcpFlags.Urg, TcpFlags.Ack, TcpFlags.Rst, TcpFlags.Rst | TcpFlags.Ack,
            TcpFlags.Syn | TcpFlags.Fin, TcpFlags.Syn | TcpFlags.Rst, TcpFlags.Syn | TcpFlags.Ack,
        };
        Transfer(world, () =>
        {
            for (var i = 0; i < 100; i++)
            {
                // Every port from a stranger, and blind resets and SYNs in the name of the client.
                var blind = random.Next(2) == 0;
                Arrive(world, blind ? SimWorld.LeftAddress.V4 : (uint)random.Next() | 0x20000000, new TcpHeader
                {
                    SourcePort = (ushort)random.Next(EphemeralPorts.First, EphemeralPorts.Last + 1), DestinationPort = blind ? (ushort)80 : (ushort)random.Next(1, 65536),
                    Flags = blind ? TcpFlags.Rst : flags[random.Next(flags.Length)], Sequence = (uint)random.NextInt64(1L << 32),
                    Acknowledgment = (uint)random.NextInt64(1L << 32), Window = 65535,
                });
            }
        });
        Assert.Equal(0, world.Right.Counters.TcpEstabResets);
    }
}
