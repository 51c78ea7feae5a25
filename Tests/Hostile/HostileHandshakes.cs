using System.Text;

namespace Tapwire.Tests.Hostile;

/// <summary>What clients of a proxy say before the data: rightly (SOCKS5, RFC 1928; HTTP CONNECT, RFC 9110, 9.3.6), and changed by chance.</summary>
internal sealed class HostileHandshakes(SeededRandom random)
{
    /// <summary>Handshakes that are right, to places that answer, refuse, do not exist or keep silent. Port 81 of the peer serves them.</summary>
    public static IReadOnlyList<byte[]> Whole { get; } =
    [
        Socks(1, [1, 10, 99, 0, 1, 0, 81]),
        Socks(1, [1, 10, 99, 0, 1, 0, 82]),
        Socks(1, [1, 10, 99, 0, 77, 0, 81]),
        Socks(1, [3, 4, .. "peer"u8, 0, 81]),
        Socks(1, [3, 6, .. "second"u8, 0, 81]),
        Socks(1, [3, 7, .. "silence"u8, 0, 81]),
        Socks(1, [3, 6, .. "nobody"u8, 0, 81]),
        Socks(1, [4, .. new byte[15], 1, 0, 81]),
        Socks(2, [1, 10, 99, 0, 1, 0, 81]),
        Socks(2, [1, 0, 0, 0, 0, 0, 0]),
        Socks(3, [1, 0, 0, 0, 0, 0, 0]),
        Http("CONNECT 10.99.0.1:81 HTTP/1.1\r\nHost: 10.99.0.1:81\r\n\r\n"),
        Http("CONNECT peer:81 HTTP/1.0\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n\r\n"),
        Http("GET http://peer:81/ HTTP/1.1\r\nHost: peer\r\n\r\n"),
    ];

    /// <summary>A handshake, in most cases no longer a right one, and perhaps what a client sends without waiting for the answer.</summary>
    public byte[] Next()
    {
        var bytes = Whole[random.Next(Whole.Count)].ToList();
        for (var changes = random.Next(4); changes > 0; changes--)
            Change(bytes);
        if (random.OneIn(4))
            bytes.AddRange(Noise(random.Next(2000)));
        return [.. bytes];
    }

    public byte[] Noise(int length)
    {
        var noise = new byte[length];
        random.NextBytes(noise);
        return noise;
    }

    private void Change(List<byte> bytes)
    {
        var at = random.Next(bytes.Count + 1);
        switch (random.Next(7))
        {
            case 0 when at < bytes.Count:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1 when at < bytes.Count:
                bytes[at] = (byte)(random.OneIn(2) ? random.Next(256) : 255 * random.Next(2));
                break;
            case 2:
                bytes.RemoveRange(at, random.Next(bytes.Count - at + 1));
                break;
            case 3:
                bytes.InsertRange(at, Noise(random.Next(300)));
                break;
            case 4:
                bytes.InsertRange(at, Whole[random.Next(Whole.Count)]);
                break;
            case 5:
                bytes.InsertRange(at, Encoding.ASCII.GetBytes("X: y\r\n"));
                break;
            default:
                bytes.RemoveRange(0, Math.Min(bytes.Count, random.Next(4)));
                break;
        }
    }

    private static byte[] Socks(byte command, byte[] destination) => [5, 1, 0, 5, command, 0, .. destination];

    private static byte[] Http(string head) => Encoding.ASCII.GetBytes(head);
}
