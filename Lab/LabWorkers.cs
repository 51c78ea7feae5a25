using System.Globalization;
using Microsoft.Win32.SafeHandles;

namespace Tapwire;

/// <summary>The thread pool's threads, as Linux has them: whether they sleep.</summary>
internal sealed class LabWorkers : IDisposable
{
    private const string Tasks = "/proc/self/task";

    // proc_pid_stat(5), one file for each thread: its number, its name in parentheses, its state.
    private readonly List<SafeFileHandle> _states = [];

    // Documentation/scheduler/sched-stats: nanoseconds that the thread has run, and more.
    private readonly List<string> _times = [];
    private readonly byte[] _line = new byte[64];

    /// <summary>True: all of them sleep. False: one runs, or wants to, or there is one that has just begun, or ends.</summary>
    public bool AllSleep()
    {
        if (_states.Count != ThreadPool.ThreadCount)
            Find();
        if (_states.Count != ThreadPool.ThreadCount)
            return false;
        foreach (var state in _states)
        {
            if (StateOf(state) is var now && now != 'S')
            {
                if (now is '\0' or 'X' or 'Z')
                    Forget();
                return false;
            }
        }

        return true;
    }

    /// <summary>Nanoseconds that they have run, all together. A thread that has slept since has not run since.</summary>
    public long RunTime
    {
        get
        {
            var sum = 0L;
            foreach (var times in _times)
            {
                try
                {
                    var text = File.ReadAllText(times).AsSpan();
                    sum += text.IndexOf(' ') is > 0 and var end && long.TryParse(text[..end], NumberStyles.None, CultureInfo.InvariantCulture, out var time) ? time : 0;
                }
                catch (IOException)
                {
                    // It has ended.
                }
            }

            return sum;
        }
    }

    public void Dispose() => Forget();

    private void Find()
    {
        Forget();
        foreach (var task in Directory.EnumerateDirectories(Tasks))
        {
            try
            {
                if (File.ReadAllText(Path.Combine(task, "comm")).TrimEnd() != ".NET TP Worker")
                    continue;
                _states.Add(File.OpenHandle(Path.Combine(task, "stat")));
                _times.Add(Path.Combine(task, "schedstat"));
            }
            catch (IOException)
            {
                // It has ended.
            }
        }
    }

    private void Forget()
    {
        foreach (var state in _states)
            state.Dispose();
        _states.Clear();
        _times.Clear();
    }

    /// <returns>0: the thread has ended.</returns>
    private char StateOf(SafeFileHandle file)
    {
        try
        {
            var line = _line.AsSpan(0, RandomAccess.Read(file, _line, 0));
            return line.LastIndexOf((byte)')') is > 0 and var name && name + 2 < line.Length ? (char)line[name + 2] : '\0';
        }
        catch (IOException)
        {
            return '\0';
        }
    }
}
