using System.Diagnostics;
using System.Globalization;
using System.Net;
using Tapwire;

// The echo client of Bench/EndToEnd with the driver in its own process: peers/client/client.c says what it prints.
if (args is not ["echo", var wire, var address, var secondsText, var portText] || !IPAddress.TryParse(address, out var target)
    || !double.TryParse(secondsText, CultureInfo.InvariantCulture, out var seconds) || !ushort.TryParse(portText, out var port))
{
    Console.Error.WriteLine("Bench/InProcess echo WIRE ADDRESS SECONDS PORT");
    return 2;
}

await using var network = await TapwireNetwork.StartAsync(new TapwireOptions { Wire = wire });
await using var stream = await network.ConnectAsync(new IPEndPoint(target, port));
stream.NoDelay = true;

// The process is as old as the measurement, unlike a driver: its code is compiled first.
await MeasureAsync(TimeSpan.FromSeconds(2));
var samples = await MeasureAsync(TimeSpan.FromSeconds(seconds));
samples.Sort();
string Microseconds(double share) => samples[(int)(samples.Count * share)].TotalMicroseconds.ToString("0.0", CultureInfo.InvariantCulture);
Console.WriteLine($"count={samples.Count} p50={Microseconds(0.5)} p99={Microseconds(0.99)}");
return 0;

async Task<List<TimeSpan>> MeasureAsync(TimeSpan time)
{
    var samples = new List<TimeSpan>(1 << 20);
    var octet = new byte[1];
    var start = Stopwatch.GetTimestamp();
    for (var then = start; Stopwatch.GetElapsedTime(start, then) < time;)
    {
        await stream.WriteAsync(octet);
        if (await stream.ReadAsync(octet) != 1)
            throw new IOException("The echo has ended.");
        var now = Stopwatch.GetTimestamp();
        samples.Add(Stopwatch.GetElapsedTime(then, now));
        then = now;
    }

    return samples;
}
