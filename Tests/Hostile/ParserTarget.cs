using System.Text;

namespace Tapwire.Tests.Hostile;

/// <summary>Gives a parser an input, and throws if it does what it must not. The input ends at a guard page.</summary>
internal delegate void ParserCheck(Span<byte> input);

/// <summary>One parser that reads what others have written.</summary>
/// <param name="Seeds">Inputs that are right, for others to be made of them.</param>
/// <param name="Words">Pieces that its format knows.</param>
internal sealed record ParserTarget(string Name, ParserCheck Check, byte[][] Seeds, string[] Words)
{
    private const int MaxLength = 4096;

    /// <summary>An input of chance: bytes, or a right one with some changes.</summary>
    public byte[] Input(Random random)
    {
        if (random.Next(4) > 0)
            return Changed(Seeds[random.Next(Seeds.Length)], Seeds[random.Next(Seeds.Length)], random);
        var bytes = new byte[random.Next(random.Next(2) == 0 ? 12 : 80)];
        random.NextBytes(bytes);
        return bytes;
    }

    /// <summary>An input made of another one, and of a second one.</summary>
    public byte[] Changed(byte[] input, byte[] other, Random random)
    {
        var bytes = new List<byte>(input);
        for (var changes = 1 << random.Next(4); changes > 0; changes--)
        {
            var at = random.Next(bytes.Count + 1);
            switch (random.Next(9))
            {
                case 0 when at < bytes.Count:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1 when at < bytes.Count:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 2 when at < bytes.Count:
                    bytes[at] = random.Next(4) switch { 0 => 0, 1 => 0xFF, 2 => 0x7F, _ => (byte)(bytes[at] + 1) };
                    break;
                case 3:
                    bytes.RemoveRange(at, Math.Min(bytes.Count - at, 1 << random.Next(8)));
                    break;
                case 4:
                    bytes.InsertRange(at, new byte[1 << random.Next(5)]);
                    break;
                case 5 when Words.Length > 0:
                    bytes.InsertRange(at, Encoding.Latin1.GetBytes(Words[random.Next(Words.Length)]));
                    break;
                case 6:
                    var from = random.Next(other.Length + 1);
                    bytes.InsertRange(at, other.AsSpan(from, Math.Min(other.Length - from, random.Next(64))));
                    break;
                case 7 when bytes.Count > 0:
                    var piece = bytes.GetRange(random.Next(bytes.Count), 1);
                    for (var more = random.Next(64); more > 0; more--)
                        bytes.Insert(at, piece[0]);
                    break;
                default:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
            }
        }

        if (bytes.Count > MaxLength)
            bytes.RemoveRange(MaxLength, bytes.Count - MaxLength);
        return [.. bytes];
    }

    /// <summary>Inputs that are simpler, the simplest first.</summary>
    public static IEnumerable<byte[]> Simpler(byte[] input)
    {
        for (var size = input.Length; size > 0; size /= 2)
        {
            for (var at = 0; at + size <= input.Length; at += size)
                yield return [.. input[..at], .. input[(at + size)..]];
        }

        for (var at = 0; at < input.Length; at++)
        {
            if (input[at] != 0)
                yield return [.. input[..at], 0, .. input[(at + 1)..]];
        }
    }
}
