using System.Diagnostics;
using Tapwire.Names;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Names;

/// <summary>The format of messages (RFC 1035, 4), and what is none.</summary>
public sealed class DnsMessageSpecs
{
    private const string Head = "1234 8180 0001 0001 0000 0000 ";
    private const string Question = "03 777777 07 6578616D706C65 03 6F7267 00 0001 0001 ";

    [Fact]
    public void A_question_has_its_documented_bytes()
    {
        var name = ResolverHarness.Name("www.example.org");
        Assert.Equal(Bytes("1234 0100 0001 0000 0000 0000" + Question), DnsQuery.Write(0x1234, name, DnsType.A, hasOptions: false, null));
        Assert.Equal(Bytes("1234 0100 0001 0000 0000 0001" + Question + "00 0029 04D0 00000000 0000"), DnsQuery.Write(0x1234, name, DnsType.A, hasOptions: true, null));
    }

    [Fact]
    public void An_answer_is_read_with_its_pointers()
    {
        var message = Read(Head + Question + "C00C 0005 0001 0000012C 0006 03 667470 C010");
        var alias = Assert.Single(message.Answers);
        Assert.Equal(("www.example.org", DnsType.CanonicalName, 300u, "ftp.example.org"), (alias.Owner.ToString(), alias.Type, alias.Lifetime, alias.Target!.ToString()));
        Assert.Equal((0x1234, true, false, true, DnsResponseCode.None), (message.Id, message.IsResponse, message.IsTruncated, message.OffersRecursion, message.Code));
        Assert.Equal(Bytes(Question), message.Question.ToArray());
    }

    [Fact]
    public void Addresses_of_both_families_are_read_and_other_types_and_classes_are_not()
    {
        var message = Read("1234 8180 0001 0004 0000 0000" + Question + "C00C 0001 0001 0000003C 0004 C0000201" + "C00C 001C 0001 0000003C 0010 20010DB8000000000000000000000001"
            + "C00C 0010 0001 0000003C 0003 026869" + "C00C 0001 0003 0000003C 0004 C0000202");
        Assert.Equal(["192.0.2.1", "2001:db8::1"], message.Answers.Select(static record => record.Address.ToString()));
    }

    [Fact]
    public void A_zone_and_the_options_are_read_with_the_higher_bits_of_the_code()
    {
        var message = Read("1234 8180 0001 0000 0001 0001" + Question + "C010 0006 0001 00000E10 0016 00 00 00000001 00000002 00000003 00000004 0000003C"
            + "00 0029 04D0 01000000 0000");
        Assert.Equal(60u, Assert.Single(message.Authority).NegativeLifetime);
        Assert.True(message.HasOptions);
        Assert.Equal(DnsResponseCode.BadVersion, message.Code);
    }

    [Fact]
    public void A_lifetime_with_its_highest_bit_is_none() =>
        Assert.Equal(0u, Assert.Single(Read(Head + Question + "C00C 0001 0001 80000001 0004 C0000201").Answers).Lifetime);

    [Fact]
    public void Of_a_truncated_message_only_the_question_is_read()
    {
        var message = Read("1234 8380 0001 0009 0000 0000" + Question + "C00C 00");
        Assert.True(message.IsTruncated);
        Assert.Empty(message.Answers);
    }

    [Theory]
    [InlineData("")]
    [InlineData("1234 8180 0001 0001 0000")]
    [InlineData(Head)]
    [InlineData(Head + Question)]
    [InlineData(Head + Question + "C00C 0001 0001 0000003C 0004 C00002")] // data past the end
    [InlineData(Head + Question + "C00C 0001 0001 0000003C 0005 C000020100")] // an IPv4 address of five bytes
    [InlineData(Head + Question + "C00C 001C 0001 0000003C 0004 C0000201")] // an IPv6 address of four
    [InlineData(Head + Question + "C00C 0001 0001 0000003C 0004 C0000201 00")] // a byte too much
    [InlineData(Head + Question + "C021 0001 0001 0000003C 0004 C0000201")] // a pointer to itself
    [InlineData(Head + Question + "C030 0001 0001 0000003C 0004 C0000201")] // forwards
    [InlineData(Head + Question + "C000 0001 0001 0000003C 0004 C0000201")] // into the header
    [InlineData(Head + Question + "01 61 C021 0001 0001 0000003C 0004 C0000201")] // a loop
    [InlineData(Head + Question + "C0")]
    [InlineData(Head + Question + "40 00 0001 0001 0000003C 0004 C0000201")] // a label of an unknown kind
    [InlineData(Head + Question + "C00C 0005 0001 0000012C 0007 03 667470 C010 00")] // a name shorter than its record
    [InlineData(Head + Question + "C00C 0005 0001 0000012C 0005 03 667470 C010")] // and longer
    [InlineData(Head + Question + "C00C 0006 0001 0000012C 0002 00 00")] // a zone without numbers
    [InlineData(Head + Question + "00 0029 04D0 00000000 0000")] // options among the answers
    [InlineData("1234 8180 0001 0000 0000 0002" + Question + "00 0029 04D0 00000000 0000 00 0029 04D0 00000000 0000")] // twice
    [InlineData("1234 8180 0001 0000 0000 0001" + Question + "01 61 00 0029 04D0 00000000 0000")] // of a name
    [InlineData("1234 8180 0001 FFFF FFFF FFFF" + Question + "C00C 0001 0001 0000003C 0004 C0000201")] // more records than there can be
    [InlineData("1234 8180 0002 0000 0000 0000" + Question + Question)]
    [InlineData("1234 8180 0001 0000 0000 0000 C00C 0001 0001")] // a pointer in the question
    public void What_is_malformed_is_no_message(string hex) => Assert.False(DnsMessage.TryParse(Bytes(hex), out _));

    [Fact]
    public void Names_have_at_most_255_bytes_and_labels_63()
    {
        var label = new string('a', 63);
        var longest = $"{label}.{label}.{label}.{new string('a', 61)}";
        Assert.Equal(DnsName.MaxLength, ResolverHarness.Name(longest).Wire.Length);
        Assert.False(DnsName.TryParse(longest + "a", out _));
        Assert.False(DnsName.TryParse(label + "a.b", out _));
        Assert.Null(ResolverHarness.Name(longest).Within(ResolverHarness.Name("b")));

        // In a message, with a pointer: 61 bytes of the question's name after 4 labels are too many.
        byte[] three = [63, .. new byte[63], 63, .. new byte[63], 63, .. new byte[63]];
        byte[] head = [0, 0, 0x81, 0x80, 0, 0, 0, 2, 0, 0, 0, 0];
        byte[] tail = [0, 16, 0, 1, 0, 0, 0, 0, 0, 0];
        Assert.True(DnsMessage.TryParse([.. head, .. three, 0, .. tail, 61, .. new byte[61], 0xC0, 12, .. tail], out _));
        Assert.False(DnsMessage.TryParse([.. head, .. three, 0, .. tail, 62, .. new byte[62], 0xC0, 12, .. tail], out _));
    }

    [Theory]
    [InlineData("www.example.org", "example.org", true)]
    [InlineData("www.example.org", ".", true)]
    [InlineData("example.org", "example.org", true)]
    [InlineData("example.org", "www.example.org", false)]
    [InlineData("wwwexample.org", "example.org", false)]
    [InlineData("a.b", "a", false)]
    public void A_name_is_in_a_domain_by_whole_labels(string name, string domain, bool isIn) =>
        Assert.Equal(isIn, ResolverHarness.Name(name).IsIn(domain == "." ? DnsName.Root : ResolverHarness.Name(domain)));

    /// <summary>A million messages that were true ones once. Each is read in a time that its length bounds, or is none; the reader of answers takes them all, too.</summary>
    [Fact]
    public void A_million_mutated_messages_neither_throw_nor_take_long()
    {
        var random = new KeyedRandom([.. Enumerable.Repeat((byte)7, KeyedRandom.SecretLength)]);
        var name = ResolverHarness.Name("www.example.org");
        var query = DnsQuery.Write(1, name, DnsType.A, true, null);
        byte[][] seeds =
        [
            new ReplyBuilder(query).Alias("www.example.org", "a.example").Alias("a.example", "b.example").Address("b.example", "192.0.2.1").Options().Build(),
            new ReplyBuilder(query) { Code = DnsResponseCode.NoSuchName }.Zone("example.org", 60).Options().Build(),
            Bytes("1234 8180 0001 0003 0000 0001" + Question + "C00C 0005 0001 0000012C 0006 03 667470 C010 C02D 0001 0001 0000003C 0004 C0000201 C02D 001C 0001 0000003C 0010 20010DB8000000000000000000000001"
                + "00 0029 04D0 00000000 0000"),
            new ReplyBuilder(query).Pointer("www.example.org", "c.example").Build(),
        ];
        var (good, began) = (0, Stopwatch.GetTimestamp());
        Span<byte> buffer = stackalloc byte[512];
        for (var i = 0; i < 1_000_000; i++)
        {
            var seed = seeds[i % seeds.Length];
            seed.CopyTo(buffer);
            var length = seed.Length;
            for (var mutations = random.Next(4); mutations >= 0; mutations--)
                length = Mutate(buffer, length, random);
            if (!DnsMessage.TryParse(buffer[..length], out var message))
                continue;
            good++;
            _ = AnswerReading.Read(message, name, DnsType.A, 0);
        }

        Assert.InRange(good, 10_000, 999_999);
        Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(60), "Reading takes too long.");
    }

    [Fact]
    public void The_worst_message_takes_no_longer_than_its_length_allows()
    {
        // As many records as fit, each with a pointer to the longest name, and the aliases that lead round all of them.
        byte[] longest = [.. Enumerable.Repeat<byte[]>([1, (byte)'a'], 127).SelectMany(static label => label), 0];
        var message = new List<byte> { 0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0 };
        message.AddRange([.. longest, 0, 1, 0, 1]);
        var count = 0;
        for (; message.Count + 14 <= DnsMessage.MaxSize; count++)
            message.AddRange([0xC0, 12, 0, 5, 0, 1, 0, 0, 1, 0, 0, 2, 0xC0, 14]);
        (message[6], message[7]) = ((byte)(count >> 8), (byte)count);
        var began = Stopwatch.GetTimestamp();
        Assert.True(DnsMessage.TryParse(message.ToArray(), out var read));
        Assert.True(DnsName.TryParse(string.Join('.', Enumerable.Repeat("a", 127)), out var name));
        Assert.Null(AnswerReading.Read(read, name, DnsType.A, AnswerReading.MaxAliases));
        Assert.True(Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(2), "Reading takes too long.");
    }

    private static int Mutate(Span<byte> buffer, int length, KeyedRandom random)
    {
        var at = random.Next(Math.Max(1, length));
        switch (random.Next(6))
        {
            case 0:
                buffer[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                buffer[at] = (byte)random.NextUInt32();
                break;
            case 2:
                buffer[at] = (byte)(0xC0 | random.Next(2));
                break;
            case 3:
                return at;
            case 4 when length < buffer.Length - 16:
                random.Fill(buffer.Slice(length, 16));
                return length + 1 + random.Next(16);
            default:
                buffer[random.Next(DnsMessage.HeaderSize)] = (byte)random.Next(4);
                break;
        }

        return length;
    }

    private static DnsMessage Read(string hex)
    {
        Assert.True(DnsMessage.TryParse(Bytes(hex), out var message));
        return message;
    }

    private static byte[] Bytes(string hex) => Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal));
}
