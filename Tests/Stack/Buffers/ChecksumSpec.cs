using System.Buffers.Binary;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Buffers;

public class ChecksumSpec
{
    [Fact]
    public void The_sum_is_that_of_the_words_one_by_one_for_every_length_and_alignment()
    {
        var data = new byte[1400];
        new Random(1).NextBytes(data);
        for (var length = 0; length <= 1100; length++)
        {
            for (var start = 0; start < 67; start += length < 300 ? 1 : 13)
                Assert.Equal(Naive(data.AsSpan(start, length)), Checksum.Sum(data.AsSpan(start, length)));
        }
    }

    [Theory]
    [InlineData(0x00)]
    [InlineData(0x01)]
    [InlineData(0xFF)]
    public void Accumulators_do_not_overflow(byte value)
    {
        // More than 65,536 steps of the widest vectors.
        var data = new byte[(4 << 20) + 64 + 3];
        data.AsSpan().Fill(value);
        Assert.Equal(Naive(data), Checksum.Sum(data));
    }

    [Fact]
    public void A_sum_goes_on_where_another_ended()
    {
        var data = new byte[512];
        new Random(2).NextBytes(data);
        Assert.Equal(Checksum.Sum(data), Checksum.Sum(data.AsSpan(100), Checksum.Sum(data.AsSpan(0, 100))));
    }

    [Fact]
    public void Fragments_with_odd_boundaries_sum_as_if_they_stood_together()
    {
        var random = new Random(3);
        var pool = new DiagnosingBufferPool();
        for (var round = 0; round < 500; round++)
        {
            var buffer = pool.Rent(200);
            random.NextBytes(buffer.Append(random.Next(200)));
            for (var i = random.Next(PacketBuffer.MaxFragments); i > 0; i--)
            {
                var source = pool.Rent(300);
                random.NextBytes(source.Append(300));
                var offset = random.Next(200);
                buffer.AddFragment(source, offset, random.Next(100));
                source.Release();
            }

            var linear = new byte[buffer.TotalLength];
            buffer.CopyTo(linear);
            var skip = random.Next(buffer.Length + 1);
            Assert.Equal(Naive(linear.AsSpan(skip)), Checksum.Sum(buffer, skip));
            buffer.Release();
        }

        pool.AssertAllReturned();
    }

    [Theory]
    [InlineData("10.0.0.1", "192.168.255.254", "0a000001c0a8fffe00060000")]
    [InlineData("2001:db8::1", "fe80::ffff:1", "20010db8000000000000000000000001fe80000000000000000000 00ffff00010000000000060000")]
    public void The_pseudo_header_is_summed_as_its_bytes(string source, string destination, string bytes)
    {
        var header = Convert.FromHexString(bytes.Replace(" ", "", StringComparison.Ordinal));
        var length = 40000;
        var with = header.Concat(new byte[] { (byte)(length >> 8), (byte)length }).ToArray();
        Assert.Equal(Naive(with), Checksum.PseudoHeader(IpAddress.Parse(source), IpAddress.Parse(destination), 6, length));
    }

    [Fact]
    public void An_update_gives_what_summing_again_gives()
    {
        var random = new Random(4);
        Span<byte> data = stackalloc byte[20];
        for (var round = 0; round < 20000; round++)
        {
            random.NextBytes(data);
            if (round % 3 == 0)
                data.Fill((byte)(round % 2 == 0 ? 0xFF : 0));
            var old = Checksum.Finish(Checksum.Sum(data));
            var oldWord = BinaryPrimitives.ReadUInt16BigEndian(data[6..]);
            var newWord = (ushort)(round % 5 == 0 ? 0xFFFF : random.Next(65536));
            BinaryPrimitives.WriteUInt16BigEndian(data[6..], newWord);
            var updated = Checksum.Update(old, oldWord, newWord);

            // RFC 1624: the two may differ only in how they write zero when there is nothing but zeros, and both verify.
            Assert.True(Checksum.Fold((ulong)Checksum.Sum(data) + updated) is 0xFFFF or 0);
            if (data.ContainsAnyExcept((byte)0))
                Assert.Equal(0xFFFFu, Checksum.Fold((ulong)Checksum.Sum(data) + updated));
        }
    }

    [Fact]
    public void The_example_of_rfc_1071_comes_out()
    {
        byte[] data = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        Assert.Equal(0xddf2u, Checksum.Sum(data));
        Assert.Equal((ushort)0x220d, Checksum.Finish(Checksum.Sum(data)));
    }

    private static uint Naive(ReadOnlySpan<byte> data)
    {
        ulong sum = 0;
        for (var i = 0; i < data.Length; i++)
            sum += (uint)data[i] << (i % 2 == 0 ? 8 : 0);
        while (sum > 0xFFFF)
            sum = (sum & 0xFFFF) + (sum >> 16);
        return (uint)sum;
    }
}
