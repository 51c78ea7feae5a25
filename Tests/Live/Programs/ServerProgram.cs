using System.Diagnostics;
using System.Text;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>A program that runs beside a spec, ended with what it has started itself when the spec has done.</summary>
internal sealed class ServerProgram : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly StringBuilder _output = new();

    public ServerProgram(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Note(line.Data);
        process.ErrorDataReceived += (_, line) => Note(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>What it has written so far, to standard output and standard error.</summary>
    public string Output
    {
        get
        {
            lock (_output)
                return _output.ToString();
        }
    }

    /// <summary>False while it runs; fails the spec if it has ended.</summary>
    public bool HasFailed => _process.HasExited ? throw new Xunit.Sdk.XunitException($"The program has ended:\n{Output}") : false;

    public void WaitForExit()
    {
        Assert.True(_process.WaitForExit(Patience), "The program does not end.");

        // Only this one also waits for what it has written.
        _process.WaitForExit();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }

    private void Note(string? line)
    {
        lock (_output)
            _output.AppendLine(line);
    }
}
