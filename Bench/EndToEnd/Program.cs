using System.Runtime.InteropServices;
using Tapwire.Bench.EndToEnd;
using Xunit;

// Our stack beside others and the kernel, with the same clients, in the same run: dotnet run -c Release --project Bench/EndToEnd. Needs root, for namespaces.
Options options;
Contest contest;
try
{
    options = Options.Parse(args);
    contest = new Contest(options);
}
catch (FormatException e)
{
    Console.Error.WriteLine($"{e.Message}\n{Options.Usage}");
    return 2;
}

using var ended = contest;
using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
try
{
    _ = Programs.Client;
    contest.Run();
}
catch (Exception e) when (e is MissingException or SkipException)
{
    Console.Error.WriteLine($"Nothing can be measured here: {e.Message}");
    return 1;
}

var report = new Report(options, contest.Results);
report.Print();
if (options.JsonFile is { } file)
    report.WriteJson(file);
return 0;

void End(PosixSignalContext context)
{
    context.Cancel = true;
    contest.Dispose();
    Environment.Exit(128 + (context.Signal == PosixSignal.SIGINT ? 2 : 15));
}
