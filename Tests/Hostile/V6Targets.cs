using Tapwire.Names;
using Tapwire.Stack.Packets;
using Tapwire.Tests.Names;
using Tapwire.Tests.Support;
using static Tapwire.Tests.Hostile.HostileException;

namespace Tapwire.Tests.Hostile;

/// <summary>IPv6 headers with what follows them, ICMPv6 and neighbour discovery, and messages of DNS servers: what is read lies within the input, and is the same after it was written.</summary>
internal static class V6Targets
{
    public static byte[][] Packets => [.. HostileTemplates.MakeV6(1).Select(static frame => frame[EthernetHeader.Length..])];

    /// <summary>What is behind the headers.</summary>
    public static byte[][] Messages => [.. Packets.Where(static packet => packet[Ipv6Field.NextHeader] == IpProtocol.Icmpv6).Select(static packet => packet[Ipv6Header.Length..])];

    public static byte[][] NameSeeds
    {
        get
        {
            var query = DnsQuery.Write(7, ResolverHarness.Name("www.example.org"), DnsType.Aaaa, hasOptions: true, null);
            return
            [
                query,
                new ReplyBuilder(query).Address("www.example.org", "2001:db8::1").Options().Build(),
                new ReplyBuilder(query).Alias("www.example.org", "a.example.org").Address("a.example.org", "192.0.2.1").Build(),
                new ReplyBuilder(query) { Code = DnsResponseCode.NoSuchName }.Zone("example.org", 60).Build(),
            ];
        }
    }

    public static void Header(Span<byte> input)
    {
        if (!Ipv6View.TryParse(input, out var view) || view.Version != 6)
            return;
        var emitted = new byte[Ipv6Header.Length];
        Array.Fill(emitted, (byte)0xA5);
        view.ToHeader().Emit(emitted);
        Require(emitted.AsSpan().SequenceEqual(input[..Ipv6Header.Length]), "An IPv6 header differs after it was written.");
    }

    public static void Chain(Span<byte> input)
    {
        if (input.Length < Ipv6Header.Length)
            return;
        var chain = Ipv6HeaderChain.Walk(input);
        if (chain.Problem != Ipv6ChainProblem.None)
        {
            Require(chain.Pointer >= 0 && chain.Pointer <= input.Length, $"A problem is said to be at {chain.Pointer} of {input.Length} bytes.");
            return;
        }

        Require(chain.Length >= Ipv6Header.Length && chain.Length <= input.Length && (chain.Length - Ipv6Header.Length) % 8 == 0, $"A chain is said to have {chain.Length} of {input.Length} bytes.");
        Require(chain.NextHeaderAt < chain.Length && input[chain.NextHeaderAt] == chain.NextHeader, "A chain names a header that is not named there.");
        if (chain.NextHeader != Ipv6Extension.Fragment || !Ipv6FragmentHeader.TryParse(input[chain.Length..], out var fragment))
            return;
        Require(fragment.Offset is >= 0 and <= ushort.MaxValue && fragment.Offset % 8 == 0, "A fragment begins where none can.");
        var emitted = new byte[Ipv6FragmentHeader.Length];
        fragment.Emit(emitted);
        Require(Ipv6FragmentHeader.TryParse(emitted, out var again) && again == fragment, "A fragment header differs after it was written.");
        var rest = Ipv6HeaderChain.Walk(input, chain.Length, chain.Length + Ipv6FragmentHeader.Length);
        Require(rest.Problem != Ipv6ChainProblem.None || rest.Length <= Math.Max(input.Length, chain.Length + Ipv6FragmentHeader.Length), "The rest of a chain ends beyond the packet.");
    }

    public static void Icmp(Span<byte> input)
    {
        if (!Icmpv6View.TryParse(input, out var view))
            return;
        var header = view.ToHeader();
        _ = (view.Identifier, view.Sequence, view.Rest, view.Checksum);
        header.Emit(input);
        Require(Icmpv6View.TryParse(input, out view) && view.ToHeader() == header, "An ICMPv6 header differs after it was written.");
    }

    public static void Neighbors(Span<byte> input)
    {
        if (NeighborMessage.TryParse(input, out var message))
        {
            var emitted = new byte[NeighborMessage.Length];
            message.Emit(emitted);
            Require(NeighborMessage.TryParse(emitted, out var again) && again == message, "A message of a neighbour differs after it was written.");
            Options(input[NeighborMessage.Length..]);
        }

        if (!RouterAdvertisement.TryParse(input, out var advertisement))
            return;
        Require(advertisement.Lifetime >= TimeSpan.Zero && advertisement.Lifetime <= TimeSpan.FromSeconds(ushort.MaxValue), "A router says what none can.");
        Options(input[RouterAdvertisement.Length..]);
    }

    public static void Names(Span<byte> input)
    {
        if (!DnsMessage.TryParse(input, out var message))
            return;
        Require((message.Answers.Count + message.Authority.Count) * 11 <= input.Length, "A message has more records than there is room for.");
        foreach (var record in message.Answers.Concat(message.Authority))
        {
            Require(record.Owner.Wire.Length <= DnsName.MaxLength && record.Target?.Wire.Length is null or <= DnsName.MaxLength, "A name is too long.");
            Require(record.Lifetime <= int.MaxValue, "A record is said to live for ever.");
            _ = record.Owner.ToString();
        }
    }

    private static void Options(ReadOnlySpan<byte> options)
    {
        if (!NdpOption.AreWellFormed(options))
            return;
        var bytes = 0;
        for (var rest = options; NdpOption.TryTake(ref rest, out var option);)
        {
            Require(option.Length > 0 && option.Length % 8 == 0, "An option has a length that none can have.");
            bytes += option.Length;
        }

        Require(bytes == options.Length, "Options are well-formed, and are not.");
        for (var type = 0; type <= byte.MaxValue; type++)
        {
            var found = NdpOption.Find(options, (byte)type);
            Require(found.IsEmpty || found[0] == type, "An option of another type is found.");
            _ = NdpOption.FindHardware(options, (byte)type);
        }
    }
}
