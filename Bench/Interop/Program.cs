using System.Runtime.InteropServices;
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

Console.WriteLine($"{Environment.ProcessorCount} processors, {Environment.OSVersion.VersionString}; medians of {options.Rounds} rounds of {options.Time.TotalSeconds} s; Mbit/s");
using var path = ImpairedPath.Create();
using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, _ => path.Dispose());
using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => path.Dispose());
foreach (var memory in (string[])["tcp_rmem", "tcp_wmem"])
    path.Sysctl($"net/ipv4/{memory}", $"4096 131072 {64 << 20}");
await new Comparison(path, options).RunAsync();
path.StopDriver();
return 0;
