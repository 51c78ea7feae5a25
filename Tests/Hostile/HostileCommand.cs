using System.Diagnostics;
using System.Globalization;
using Tapwire.Tests.Live.Driver;
using Tapwire.Tests.Sim;
using Tapwire.Tests.Wires.Vxlan;
using Tapwire.Tests.Wires.WireGuard;

namespace Tapwire.Tests.Hostile;

/// <summary>The hostile suite for hours: <c>dotnet run -c Release --project Tests -- hostile frames --count 1000000000 --seed 1</c>.</summary>
internal static class HostileCommand
{
    private const string Usage = "hostile frames [--count FRAMES] [--seed NUMBER] | hostile frames --round SEED\n"
        + "hostile parsers [--minutes MINUTES] [--seed NUMBER] [--target NAME] | hostile parsers --target NAME --input HEX\n"
        + "hostile tcp [--hours HOURS] [--seed NUMBER]\n"
        + "hostile costs\n"
        + "hostile wireguard [--count MESSAGES] [--seed NUMBER]\n"
        + "hostile vxlan [--count DATAGRAMS] [--seed NUMBER]\n"
        + "hostile memory [--limit MIB] [--echo CONNECTIONS] [--exposed CONNECTIONS] [--application CONNECTIONS] [--count RUNS]";

    /// <summary>So much virtual time has one run of <c>tcp</c>, all of whose memory is looked at when it ends.</summary>
    private static readonly TimeSpan TcpShare = TimeSpan.FromMinutes(30);

    /// <summary>Some hundred frames a second, so that a day of them takes minutes.</summary>
    private const int TcpSlowness = 10;

    private static readonly TimeSpan Interval = TimeSpan.FromMinutes(1);

    /// <returns>The exit code: 1 if something has failed, 2 for arguments that are none.</returns>
    public static int Run(ReadOnlySpan<string> arguments) => arguments switch
    {
        ["frames", .. var options] => Frames(options),
        ["parsers", .. var options] => Parsers(options),
        ["tcp", .. var options] => Tcp(options),
        ["costs"] => Costs(),
        ["wireguard", .. var options] => Rounds("wireguard", "messages", options, static (count, seed) =>
        {
            using var network = new WireGuardNetwork(seed);
            WireGuardHostility.Run(network, count, seed);
        }),
        ["vxlan", .. var options] => Rounds("vxlan", "datagrams", options, VxlanHostility.Run),
        ["memory", .. var options] => Memory(options),
        _ => Complain(),
    };

    private static int Frames(ReadOnlySpan<string> options)
    {
        long count = 10_000_000;
        ulong seed = 1;
        ulong? round = null;
        for (; options is [var name, var value, ..]; options = options[2..])
        {
            if (name == "--count" && long.TryParse(value, CultureInfo.InvariantCulture, out var frames))
                count = frames;
            else if (name == "--seed" && ulong.TryParse(value, CultureInfo.InvariantCulture, out var number))
                seed = number;
            else if (name == "--round" && value.StartsWith("0x", StringComparison.Ordinal)
                && ulong.TryParse(value.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var one))
                round = one;
            else
                return Complain();
        }

        if (!options.IsEmpty)
            return Complain();
        return round is { } again ? Again(again) : Campaign(seed, count);
    }

    /// <summary>Mutated messages beside ends that go on talking, in rounds of fresh ones, each with its own seed.</summary>
    private static int Rounds(string name, string what, ReadOnlySpan<string> options, Action<long, int> run)
    {
        const int Round = 100_000;
        long count = 10_000_000;
        var seed = 1;
        for (; options is [var option, var value, ..]; options = options[2..])
        {
            if (option == "--count" && long.TryParse(value, CultureInfo.InvariantCulture, out var messages))
                count = messages;
            else if (option == "--seed" && int.TryParse(value, CultureInfo.InvariantCulture, out var number))
                seed = number;
            else
                return Complain();
        }

        if (!options.IsEmpty)
            return Complain();
        var reported = Stopwatch.StartNew();
        for (var done = 0L; done < count; done += Round, seed++)
        {
            try
            {
                run(Math.Min(Round, count - done), seed);
            }
            catch (InvalidOperationException e)
            {
                Console.Error.WriteLine($"{e.Message}; 'hostile {name} --count {Round} --seed {seed}' repeats it");
                return 1;
            }

            if (reported.Elapsed < Interval)
                continue;
            reported.Restart();
            Console.WriteLine($"{done + Round} {what}");
        }

        Console.WriteLine($"{count} {what}, nothing has changed");
        return 0;
    }

    private static int Parsers(ReadOnlySpan<string> options)
    {
        ParserCampaign.Attach();
        double minutes = 1;
        ulong seed = 1;
        string? input = null;
        IReadOnlyList<ParserTarget> targets = ParserTargets.All;
        for (; options is [var name, var value, ..]; options = options[2..])
        {
            if (name == "--minutes" && double.TryParse(value, CultureInfo.InvariantCulture, out var time))
                minutes = time;
            else if (name == "--seed" && ulong.TryParse(value, CultureInfo.InvariantCulture, out var number))
                seed = number;
            else if (name == "--target" && ParserTargets.All.FirstOrDefault(target => target.Name == value) is { } target)
                targets = [target];
            else if (name == "--input" && value.All(char.IsAsciiHexDigit) && value.Length % 2 == 0)
                input = value;
            else
                return Complain();
        }

        if (!options.IsEmpty || (input is not null && targets.Count != 1))
            return Complain();
        using var campaign = new ParserCampaign(targets, seed);
        return input is null ? campaign.Run(TimeSpan.FromMinutes(minutes)) : campaign.Again(Convert.FromHexString(input));
    }

    /// <summary>Stateful attackers beside an honest client for so many hours of virtual time, from a seed on.</summary>
    private static int Tcp(ReadOnlySpan<string> options)
    {
        var left = TimeSpan.FromHours(1);
        var seed = 1;
        for (; options is [var name, var value, ..]; options = options[2..])
        {
            if (name == "--hours" && double.TryParse(value, CultureInfo.InvariantCulture, out var hours))
                left = TimeSpan.FromHours(hours);
            else if (name != "--seed" || !int.TryParse(value, CultureInfo.InvariantCulture, out seed))
                return Complain();
        }

        if (!options.IsEmpty)
            return Complain();
        var campaign = new HostileCampaign();
        try
        {
            for (; left > TimeSpan.Zero; seed++, left -= TcpShare)
                campaign.Run(seed, left < TcpShare ? left : TcpShare, isV6: seed % 2 == 0, slowness: TcpSlowness);
            return 0;
        }
        catch (HostileException e)
        {
            Console.WriteLine(e.Message);
            return 1;
        }
        finally
        {
            Console.Write(campaign.Report());
        }
    }

    /// <summary>What packets cost, benign ones and others.</summary>
    private static int Costs()
    {
        foreach (var (name, nanoseconds) in PacketCost.All())
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-50} {nanoseconds,10:F0} ns"));
        return 0;
    }

    /// <summary>Peers that write and do not read, and a real driver in a control group, which needs root.</summary>
    private static int Memory(ReadOnlySpan<string> options)
    {
        var flood = new MemoryFlood(200, 0, 0, 0);
        var count = 1;
        for (; options is [var name, var value, ..]; options = options[2..])
        {
            if (!int.TryParse(value, CultureInfo.InvariantCulture, out var number) || number < 0)
                return Complain();
            switch (name)
            {
                case "--limit":
                    flood = flood with { Mebibytes = number };
                    break;
                case "--echo":
                    flood = flood with { Echo = number };
                    break;
                case "--exposed":
                    flood = flood with { Exposed = number };
                    break;
                case "--application":
                    flood = flood with { Application = number };
                    break;
                case "--count":
                    count = number;
                    break;
                default:
                    return Complain();
            }
        }

        return options.IsEmpty ? Flood(flood, count) : Complain();
    }

    private static int Flood(MemoryFlood flood, int count)
    {
        var failures = 0;
        for (var i = 0; i < count; i++)
        {
            try
            {
                Console.WriteLine(flood.RunAsync().GetAwaiter().GetResult());
            }
            catch (Exception e)
            {
                failures++;
                Console.WriteLine(e);
            }
        }

        return failures == 0 ? 0 : 1;
    }

    private static int Campaign(ulong seed, long count)
    {
        var campaign = new FrameCampaign(seed);
        var watch = Stopwatch.StartNew();
        var failures = 0;
        campaign.Run(count, () =>
        {
            for (; failures < campaign.Failures.Count; failures++)
                Console.WriteLine(campaign.Failures[failures]);
            if (watch.Elapsed < Interval)
                return;
            watch.Restart();
            Print(campaign);
        });
        Print(campaign);
        return failures == 0 ? 0 : 1;
    }

    private static int Again(ulong seed)
    {
        var @case = FrameCase.Draw(seed);
        Console.WriteLine(@case);
        try
        {
            FrameRound.Run(@case, new PoisoningBufferPool());
            Console.WriteLine("Nothing was lost.");
            return 0;
        }
        catch (HostileException e)
        {
            Console.WriteLine(e.Message);
            return 1;
        }
    }

    private static void Print(FrameCampaign campaign)
    {
        Console.WriteLine($"{DateTime.UtcNow:s} {campaign.Progress()}");
        Console.WriteLine(campaign.Tally());
    }

    private static int Complain()
    {
        Console.Error.WriteLine(Usage);
        return 2;
    }
}
