using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Stack;

public class KeyedHashSpec
{
    private static readonly SipHash Reference = new(0x0706050403020100, 0x0f0e0d0c0b0a0908);

    /// <summary>The vectors of the paper's reference code: bytes 00, 01, 02 ... of growing length under the key 00..0f.</summary>
    [Theory]
    [InlineData(0, 0x726fdb47dd0e0e31)]
    [InlineData(1, 0x74f839c593dc67fd)]
    [InlineData(2, 0x0d6c8009d9a94f5a)]
    [InlineData(7, 0xab0200f58b01d137)]
    [InlineData(8, 0x93f5f5799a932462)]
    [InlineData(15, 0xa129ca6149be45e5)]
    public void It_is_siphash_2_4(int length, ulong expected) =>
        Assert.Equal(expected, Reference.Hash(Enumerable.Range(0, length).Select(i => (byte)i).ToArray()));

    [Fact]
    public void Words_hash_as_their_bytes()
    {
        var bytes = Enumerable.Range(1, 40).Select(i => (byte)(i * 37)).ToArray();
        ulong Word(int i) => BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(8 * i));
        Assert.Equal(Reference.Hash(bytes.AsSpan(0, 24)), Reference.Hash(Word(0), Word(1), Word(2)));
        Assert.Equal(Reference.Hash(bytes), Reference.Hash(Word(0), Word(1), Word(2), Word(3), Word(4)));
    }

    [Fact]
    public void A_table_hash_depends_on_every_bit_of_words_and_key()
    {
        var hash = Reference.TableHash(1, 2);
        for (var bit = 0; bit < 64; bit++)
        {
            Assert.NotEqual(hash, Reference.TableHash(1 ^ (1UL << bit), 2));
            Assert.NotEqual(hash, Reference.TableHash(1, 2 ^ (1UL << bit)));
            Assert.NotEqual(hash, new SipHash(0x0706050403020100 ^ (1UL << bit), 0x0f0e0d0c0b0a0908).TableHash(1, 2));
        }
    }

    [Fact]
    public void The_same_secret_gives_the_same_numbers_and_another_one_others()
    {
        var secret = new byte[KeyedRandom.SecretLength];
        var first = new KeyedRandom(secret);
        var second = new KeyedRandom(secret);
        secret[31] = 1;
        var third = new KeyedRandom(secret);
        var numbers = Enumerable.Range(0, 100).Select(_ => first.NextUInt64()).ToList();
        Assert.Equal(numbers, Enumerable.Range(0, 100).Select(_ => second.NextUInt64()));
        Assert.NotEqual(numbers, Enumerable.Range(0, 100).Select(_ => third.NextUInt64()));
        Assert.Equal(100, numbers.Distinct().Count());
        Assert.Throws<ArgumentException>(() => new KeyedRandom(new byte[31]));
    }

    [Fact]
    public void Bounded_numbers_cover_their_range_evenly()
    {
        var random = new KeyedRandom(new byte[KeyedRandom.SecretLength]);
        var counts = new int[10];
        for (var i = 0; i < 10_000; i++)
            counts[random.Next(10)]++;
        Assert.All(counts, count => Assert.InRange(count, 850, 1150));
        var bytes = new byte[13];
        random.Fill(bytes);
        Assert.Contains(bytes[8..], value => value != 0);
    }

    [Fact]
    public void Ephemeral_ports_come_once_each_from_their_range_and_differ_by_destination()
    {
        var ports = new EphemeralPorts(new KeyedRandom(new byte[KeyedRandom.SecretLength]));
        var local = IpAddress.Parse("10.0.0.1");
        var candidates = ports.For(local, new IpEndpoint(IpAddress.Parse("10.0.0.2"), 80));
        var seen = new HashSet<ushort>();
        while (candidates.TryNext(out var port))
        {
            Assert.InRange(port, EphemeralPorts.First, EphemeralPorts.Last);
            Assert.True(seen.Add(port));
        }

        Assert.Equal(EphemeralPorts.Last - EphemeralPorts.First + 1, seen.Count);
        var firsts = Enumerable.Range(1, 50).Select(i =>
        {
            ports.For(local, new IpEndpoint(IpAddress.FromV4((uint)i), 80)).TryNext(out var port);
            return port;
        }).ToList();
        Assert.True(firsts.Distinct().Count() > 45);
        Assert.DoesNotContain(firsts.Zip(firsts.Skip(1)), pair => pair.Second == pair.First + 1);
    }
}
