using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Wires.WireGuard;

namespace Tapwire.Tests.Wires.WireGuard;

/// <summary>Mutated messages beside two engines that go on talking. A spec runs a part; 'hostile wireguard' runs millions.</summary>
internal static class WireGuardHostility
{
    private static readonly IpEndpoint Attacker = new(IpAddress.Parse("203.0.113.66"), 4444);

    /// <summary>Sends mutations of genuine messages to both ends, which must change nothing: no session, no endpoint, no packet; and answers are never more than what was sent.</summary>
    /// <exception cref="InvalidOperationException">Something has changed.</exception>
    public static void Run(WireGuardNetwork net, long count, int seed)
    {
        var (a, b) = net.Pair();
        a.Send("10.0.0.1", "10.0.0.2");
        net.RunSeconds(1);
        a.Knows(b, ["10.0.0.2/32", "fd00::2/128"], keepalive: 5);
        b.Knows(a, ["10.0.0.1/32", "fd00::1/128"]);
        for (var i = 0; i < 20; i++)
            a.Send("10.0.0.1", "10.0.0.2", 20 * i);
        net.RunSeconds(1);
        var samples = net.Sent.ToArray();
        var random = new Random(seed);
        var (packets, sent) = (b.Packets.Count, 1);
        for (var i = 0L; i < count; i++)
        {
            var (session, answersBefore, number) = (b.Peer.Keys.Current, net.Sent.Count, a.Counters.Handshakes + b.Counters.Handshakes);
            var sample = samples[random.Next(samples.Length)];
            var victim = sample.To == a.Address ? a : b;
            var bytes = Mutate(sample.Bytes, random);
            victim.Take(new Datagram(Attacker, victim.Address, bytes));
            Check(victim.Peer.Endpoint != Attacker, $"mutation {i} of seed {seed} has moved the endpoint: {Convert.ToHexString(bytes)}");
            Check(b.Peer.Keys.Current == session && a.Counters.Handshakes + b.Counters.Handshakes == number, $"mutation {i} of seed {seed} has changed the session: {Convert.ToHexString(bytes)}");
            var answers = net.Sent.Skip(answersBefore).Sum(static each => each.Bytes.Length);
            Check(answers <= bytes.Length, $"mutation {i} of seed {seed} is answered by {answers} bytes: {Convert.ToHexString(bytes)}");
            if (i % 1000 != 0)
                continue;
            a.Send("10.0.0.1", "10.0.0.2");
            net.RunSeconds(0.1);
            Check(b.Packets.Count == packets + sent, $"a packet is missing after mutation {i} of seed {seed}");
            sent++;
            net.Sent.Clear();
            Check(a.Engine.Indices <= 4 && b.Engine.Indices <= 4, "there are more indices than one handshake and three sessions");
        }
    }

    /// <summary>Random datagrams of all lengths and types.</summary>
    public static void Random(WireGuardEnd victim, int count, int seed)
    {
        var random = new Random(seed);
        var room = new byte[2000];
        var packet = new byte[2000];
        for (var i = 0; i < count; i++)
        {
            var length = random.Next(4) switch { 0 => 148, 1 => 92, 2 => 64, _ => random.Next(room.Length) };
            random.NextBytes(room.AsSpan(0, length));
            if (length >= 4)
                (room[0], room[1], room[2], room[3]) = ((byte)random.Next(1, 5), 0, 0, 0);
            victim.Engine.Receive(room.AsSpan(0, length), Attacker, Instant.Zero, packet);
        }
    }

    private static byte[] Mutate(byte[] sample, Random random)
    {
        var bytes = sample.ToArray();
        switch (random.Next(5))
        {
            case 0:
                return bytes[..random.Next(bytes.Length)];
            case 1:
                return [.. bytes, .. new byte[random.Next(1, 64)]];
            case 2:
                bytes[0] = (byte)random.Next(6);
                return bytes.Length is 148 or 92 or 64 && bytes[0] == sample[0] ? Flip(bytes, random) : bytes;
            case 3:
                for (var i = random.Next(1, 20); i > 0; i--)
                    Flip(bytes, random);
                return bytes;
            default:
                return Flip(bytes, random);
        }
    }

    private static byte[] Flip(byte[] bytes, Random random)
    {
        bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
        return bytes;
    }

    private static void Check(bool holds, string what)
    {
        if (!holds)
            throw new InvalidOperationException(what);
    }
}
