using Tapwire.Stack.Packets;
using static Tapwire.Tests.Hostile.HostileException;

namespace Tapwire.Tests.Hostile;

/// <summary>Queries of IGMP and MLD: every source that one is said to have can be read, and is of its group's family.</summary>
internal static class GroupTargets
{
    public static byte[][] IgmpSeeds =>
    [
        Convert.FromHexString("1100000000000000"), Convert.FromHexString("11140000ef010203"), Convert.FromHexString("11640000ef0102030a7d00020a0000010a000002"), Convert.FromHexString("118f00000000000000ff0000"),
    ];

    public static byte[][] MldSeeds =>
    [
        Convert.FromHexString("8200000003e80000" + new string('0', 32)),
        Convert.FromHexString("8200000027100000" + "ff150000000000000000000000000001" + "0a7d0001" + "fd000000000000000000000000000003"),
    ];

    public static void Igmp(Span<byte> input)
    {
        if (GroupQuery.TryParseIgmp(input, out var query))
            Check(query, isV4: true);
    }

    public static void Mld(Span<byte> input)
    {
        if (GroupQuery.TryParseMld(input, out var query))
            Check(query, isV4: false);
    }

    private static void Check(in GroupQuery query, bool isV4)
    {
        Require(query.Version is >= 1 and <= 3 && query.MaxResponse >= TimeSpan.Zero && query.MaxResponse < TimeSpan.FromHours(3) && query.Robustness is >= 0 and <= 7, "A query says what none can.");
        Require(query.Group.IsV4 == isV4, "A query is about a group of another family.");
        for (var i = 0; i < query.SourceCount; i++)
            _ = query.Source(i);
    }
}
