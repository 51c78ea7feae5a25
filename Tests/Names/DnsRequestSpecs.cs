using Tapwire.Names;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Names;

/// <summary>Questions of hosts that take this one for their name server, and the answers to them.</summary>
public sealed class DnsRequestSpecs
{
    private static readonly IpAddress[] Both = [IpAddress.Parse("192.0.2.1"), IpAddress.Parse("2001:db8::1"), IpAddress.Parse("192.0.2.2")];

    [Theory]
    [InlineData(DnsType.A, "192.0.2.1,192.0.2.2")]
    [InlineData(DnsType.Aaaa, "2001:db8::1")]
    public void Addresses_of_the_family_are_told_with_the_question_as_it_was(DnsType type, string addresses)
    {
        var query = Query("wWw.Example.org", type);
        var request = Read(query);
        Assert.Equal(("www.example.org", type), (request.Name.ToString().TrimEnd('.'), request.Type));
        var answer = request.Answer(LookupResult.Found, Both, "", isStream: false);
        Assert.True(DnsMessage.TryParse(answer, out var message));
        Assert.Equal((7, DnsResponseCode.None, true, true), (message.Id, message.Code, message.HasOptions, message.OffersRecursion));
        Assert.Equal(query[12..^11], answer.AsSpan(12, query.Length - 23));
        Assert.Equal(addresses, string.Join(",", message.Answers.Select(static record => record.Address)));
    }

    [Theory]
    [InlineData(LookupResult.NoSuchName, DnsResponseCode.NoSuchName)]
    [InlineData(LookupResult.NoData, DnsResponseCode.None)]
    [InlineData(LookupResult.TimedOut, DnsResponseCode.ServerFailure)]
    [InlineData(LookupResult.NoServer, DnsResponseCode.ServerFailure)]
    [InlineData(LookupResult.Busy, DnsResponseCode.ServerFailure)]
    public void What_is_not_found_has_its_code(LookupResult result, DnsResponseCode code)
    {
        Assert.True(DnsMessage.TryParse(Read(Query("x.test", DnsType.A)).Answer(result, [], "", isStream: false), out var message));
        Assert.Equal((code, 0), (message.Code, message.Answers.Count));
    }

    [Theory]
    [InlineData("192.0.2.7", "7.2.0.192.in-addr.arpa")]
    [InlineData("2001:db8::7", null)]
    public void The_name_of_an_address_is_asked_for_by_a_name(string address, string? name)
    {
        var request = Read(DnsQuery.Write(7, name is null ? DnsName.OfAddress(IpAddress.Parse(address)) : Name(name), DnsType.Pointer, hasOptions: false, null));
        Assert.Equal(address, request.ReversedAddress.ToString());
        Assert.True(DnsMessage.TryParse(request.Answer(LookupResult.Found, [], "host.example.org", isStream: false), out var message));
        Assert.Equal("host.example.org", Assert.Single(message.Answers).Target!.ToString().TrimEnd('.'));
    }

    [Theory]
    [InlineData("www.example.org")]
    [InlineData("1.2.3.in-addr.arpa")]
    [InlineData("256.2.0.192.in-addr.arpa")]
    [InlineData("1.ip6.arpa")]
    public void Other_names_are_no_addresses(string name) => Assert.Null(Read(Query(name, DnsType.Pointer)).ReversedAddress);

    [Fact]
    public void What_has_no_room_in_a_datagram_is_left_for_TCP()
    {
        IpAddress[] many = [.. Enumerable.Range(0, 200).Select(static i => IpAddress.FromV4(0xC0000200 | (uint)i))];
        var plain = Read(DnsQuery.Write(7, Name("a.test"), DnsType.A, hasOptions: false, null));
        var datagram = plain.Answer(LookupResult.Found, many, "", isStream: false);
        Assert.True(datagram.Length <= 512);
        Assert.True(DnsMessage.TryParse(datagram, out var message) && message.IsTruncated);
        Assert.InRange(Read(Query("a.test", DnsType.A)).Answer(LookupResult.Found, many, "", isStream: false).Length, 513, 1232);
        Assert.True(DnsMessage.TryParse(plain.Answer(LookupResult.Found, many, "", isStream: true), out message));
        Assert.Equal((200, false), (message.Answers.Count, message.IsTruncated));
    }

    [Fact]
    public void What_is_no_question_gets_no_answer_and_what_is_a_bad_one_says_so()
    {
        var query = Query("a.test", DnsType.A);
        Assert.Null(Refusal([.. query[..2], 0x81, .. query[3..]]));
        Assert.Null(Refusal(query[..5]));
        Assert.Equal(1, Refusal(query[..^1])![3] & 15);
        Assert.Equal(1, Refusal([.. query, 0])![3] & 15);
        Assert.Equal(4, Refusal([.. query[..2], 0x10, .. query[3..]])![3] & 15);
        query[^12] = 3;
        Assert.Equal(5, Refusal(query)![3] & 15);
    }

    [Fact]
    public void Mutated_questions_never_throw_and_answers_to_them_can_be_read()
    {
        var random = new Random(1);
        for (var i = 0; i < 50_000; i++)
        {
            var bytes = Query("www.example.org", DnsType.Aaaa);
            for (var k = random.Next(1, 5); k > 0; k--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            if (DnsRequest.TryParse(bytes.AsSpan(0, random.Next(4) == 0 ? random.Next(bytes.Length) : bytes.Length), out var request, out var refusal))
                refusal = request.Answer(LookupResult.Found, Both, "", isStream: false);
            Assert.True(refusal is null || (refusal.Length <= 512 && (refusal[2] & 0x80) != 0));
        }
    }

    private static byte[] Query(string name, DnsType type) => DnsQuery.Write(7, Name(name), type, hasOptions: true, null);

    private static DnsName Name(string text) => DnsName.TryParse(text, out var name) ? name : throw new ArgumentException(text);

    private static DnsRequest Read(byte[] bytes)
    {
        Assert.True(DnsRequest.TryParse(bytes, out var request, out _));
        return request;
    }

    private static byte[]? Refusal(byte[] bytes)
    {
        Assert.False(DnsRequest.TryParse(bytes, out _, out var refusal));
        return refusal;
    }
}
