using System.Globalization;
using Tapwire.Bench.Interop;
using Tapwire.Tests.Live.Interop;

// Our TCP beside the kernel's on the same impaired path, in the same run: dotnet run -c Release --project Bench/Interop. Needs root, for namespaces.
Options options;
try
{
    options = Options.Parse(args);
}
catch (FormatException e)
{
    Console.Error.WriteLine($"{e.Message}\n{Options.Usage}");
    return 2;
}

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
Console.WriteLine($"{Environment.ProcessorCount} processors, {Environment.OSVersion.VersionString}; medians of {options.Rounds} rounds of {options.Time.TotalSeconds} s; Mbit/s");
using var path = ImpairedPath.Create();
foreach (var memory in (string[])["tcp_rmem", "tcp_wmem"])
    path.Sysctl($"net/ipv4/{memory}", $"4096 131072 {64 << 20}");
var table = new Comparison(path, options);
await table.RunAsync();
path.StopDriver();
return 0;
