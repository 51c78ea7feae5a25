using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Support;
using Tapwire.Wires.Udp;
using Tapwire.Wires.Vxlan;

namespace Tapwire.Tests.Wires.Vxlan;

/// <summary>Mutated datagrams beside two wires that go on talking. A spec runs a part; 'hostile vxlan' runs millions.</summary>
internal static class VxlanHostility
{
    private const string A = "192.0.2.1";
    private const string B = "192.0.2.2";
    private const int MostAddresses = 64;

    private static readonly IpEndpoint AtA = new(IpAddress.Parse(A), 4789);
    private static readonly IpEndpoint AtB = new(IpAddress.Parse(B), 4789);
    private static readonly IpEndpoint Stranger = new(IpAddress.Parse("203.0.113.66"), 4444);

    /// <summary>
    /// Sends mutations of genuine datagrams, by a stranger and by a peer: the tables stay within their bounds, nothing is answered or sent on, static entries stay, every datagram is a frame or a
    /// counted drop, and the two go on talking.
    /// </summary>
    /// <exception cref="InvalidOperationException">Something of it does not hold.</exception>
    public static void Run(long count, int seed)
    {
        var pool = new DiagnosingBufferPool();
        Run(count, seed, pool);
        pool.AssertAllReturned();
    }

    private static void Run(long count, int seed, DiagnosingBufferPool pool)
    {
        using var hub = new VxlanHub();
        var a = hub.Wire(A, $"7/remote={B}/fdb=02:00:00:00:00:02@{B}/maxaddress={MostAddresses}", 1);
        var b = hub.Wire(B, $"7/remote={A}/fdb=02:00:00:00:00:01@{A}/maxaddress={MostAddresses}", 2);
        var random = new Random(seed);
        byte[][] frames =
        [
            Build.Ethernet(0x0800, Build.Udp(1000, 9, new byte[64])[14..], VxlanHub.Mac(1), VxlanHub.Mac(2)),
            Build.Ethernet(0x86DD, BuildV6.Echo(200)[14..], VxlanHub.Mac(1), VxlanHub.Mac(2)),
            Build.Ethernet(0x0806, new byte[46], MacAddress.Broadcast, VxlanHub.Mac(2)),
            [.. Build.Ethernet(0x8100, [0, 5, 8, 0], VxlanHub.Mac(1), VxlanHub.Mac(2)), .. Build.Udp(1, 2, "tagged"u8)[14..]],
        ];
        foreach (var frame in frames)
            Write(b, pool, frame);
        var samples = hub.Sent.Select(static each => each.Bytes).ToArray();
        Read(a, pool);
        hub.Sent.Clear();
        var port = hub.PortAt(AtA);
        for (var i = 0L; i < count; i++)
        {
            var bytes = Mutate(samples[random.Next(samples.Length)], random);
            var before = a.Counters.GetValueOrDefault("FramesReceived") + a.Refused;
            var isStranger = random.Next(2) == 0;
            port.Arrived.Enqueue((new DatagramPath(isStranger ? Stranger : AtB, AtA.Address, (byte)random.Next(256)), bytes));
            var read = Read(a, pool);
            string What() => $"datagram {i} of seed {seed}: {Convert.ToHexString(bytes)}";
            Check(!isStranger || read.Count == 0, "A stranger's frame was taken, ", What);
            Check(hub.Sent.Count == 0, "Something was sent for ", What);
            Check(a.Counters.GetValueOrDefault("FramesReceived") + a.Refused == before + 1, "It is neither a frame nor a drop, ", What);
            Check(a.Counters.GetValueOrDefault("Entries") <= MostAddresses + 1, "Too many addresses are known after ", What);
            if (i % 1000 != 0)
                continue;
            // Time passes, so that entries age.
            hub.Clock.Elapsed += TimeSpan.FromSeconds(20);
            Write(a, pool, Build.Ethernet(0x0800, new byte[46], VxlanHub.Mac(2), VxlanHub.Mac(1)));
            Check(Read(b, pool).Count == 1 && hub.Sent.Count == 1 && hub.Sent[0].To == AtB, "A frame went astray after ", What);
            Write(b, pool, frames[0]);
            Check(Read(a, pool).Count == 1, "A frame is missing after ", What);
            hub.Sent.Clear();
            while (a.TryTakeNotice(out _))
            {
            }
        }
    }

    private static byte[] Mutate(byte[] sample, Random random)
    {
        var bytes = sample.ToArray();
        switch (random.Next(6))
        {
            case 0:
                return bytes[..random.Next(bytes.Length)];
            case 1:
                return [.. bytes, .. new byte[random.Next(1, 3000)]];
            case 2:
                // Another source: what a flood of learned addresses consists of.
                random.NextBytes(bytes.AsSpan(14, 6));
                return bytes;
            case 3:
                random.NextBytes(bytes);
                return bytes;
            default:
                for (var i = random.Next(1, 20); i > 0; i--)
                    bytes[random.Next(Math.Min(bytes.Length, 60))] ^= (byte)(1 << random.Next(8));
                return bytes;
        }
    }

    private static void Write(VxlanWire wire, DiagnosingBufferPool pool, byte[] frame)
    {
        var buffer = pool.RentCopy(frame);
        wire.Write([buffer]);
        buffer.Release();
    }

    private static List<int> Read(VxlanWire wire, DiagnosingBufferPool pool)
    {
        var lengths = new List<int>();
        var frames = new PacketBuffer[4];
        for (var more = true; more;)
        {
            var count = wire.Read(pool, frames, out more);
            for (var i = 0; i < count; i++)
            {
                lengths.Add(frames[i].TotalLength);
                frames[i].Release();
                frames[i] = null!;
            }
        }

        return lengths;
    }

    private static void Check(bool holds, string what, Func<string> which)
    {
        if (!holds)
            throw new InvalidOperationException(what + which());
    }
}
