using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perfolizer.Horology;

// The hot classes by themselves: dotnet run -c Release --project Bench/Micro -- --filter '*Checksum*'
var config = ManualConfig.Create(DefaultConfig.Instance)

    // In this process: what is measured is internal, and no second build has to find the repository's settings.
    .AddJob(Job.Default.WithWarmupCount(4).WithIterationCount(10).WithIterationTime(TimeInterval.FromMilliseconds(250)).WithToolchain(InProcessEmitToolchain.Instance))
    .AddDiagnoser(new MemoryDiagnoser(new MemoryDiagnoserConfig(displayGenColumns: false)))
    .HideColumns(Column.Error, Column.RatioSD, Column.Job)
    .WithArtifactsPath(Path.Combine(Path.GetTempPath(), "tapwire-micro"));
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args.Length == 0 ? ["--filter", "*"] : args, config);
