using System.Diagnostics;

namespace Tapwire.Tests.Support;

/// <summary>
/// Starts programs while no spec runs that looks at descriptors. From its fork until its exec a program holds a copy of every descriptor of this process,
/// close-on-exec or not: what a spec closes meanwhile stays open, and its peer sees neither the end nor the reset.
/// </summary>
internal static class ProgramStart
{
    private static readonly object Gate = new();
    private static int _specs;
    private static int _starts;

    /// <summary>Starts a program once the specs that run now have ended, which wait for nothing but themselves.</summary>
    public static Process Run(ProcessStartInfo start)
    {
        lock (Gate)
        {
            _starts++;
            while (_specs > 0)
                Monitor.Wait(Gate);
        }

        try
        {
            return Process.Start(start)!;
        }
        finally
        {
            lock (Gate)
            {
                _starts--;
                Monitor.PulseAll(Gate);
            }
        }
    }

    internal static void EnterSpec()
    {
        lock (Gate)
        {
            while (_starts > 0)
                Monitor.Wait(Gate);
            _specs++;
        }
    }

    internal static void LeaveSpec()
    {
        lock (Gate)
        {
            _specs--;
            Monitor.PulseAll(Gate);
        }
    }
}
