using System.Diagnostics;
using Akka.Actor;

namespace Tapwire;

/// <summary>
/// The order in which everything in a lab happens. In turns: programs run, on the thread pool, until none of them can go on; what they have told their stacks is handed in, host by host; actors run,
/// here, until none of them has anything to do; one thing of what they have to tell programs is told, and it is the programs' turn again. When nothing is left to do, time goes on to the next
/// moment at which something is due. So programs and stacks never run at the same time, and nothing depends on which thread was faster.
/// </summary>
internal sealed class LabLoop(LabTimers timers)
{
    /// <summary>A time stands still at which more happens than this.</summary>
    private const int MostAtOneTime = 20_000_000;

    /// <summary>How long a program may wait for something that is not in the lab, when nothing else is left in it.</summary>
    private static readonly TimeSpan OutsidePatience = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private readonly Queue<(Action<object?> Work, object? State)> _turns = new();
    private readonly Queue<LabLetter> _toPrograms = new();
    private List<LabLetter> _fromPrograms = [];
    private List<LabLetter> _handedIn = [];
    private bool _isOver;

    public LabTimers Timers => timers;

    /// <summary>Work of actors, in order.</summary>
    public void Post(Action<object?> work, object? state)
    {
        lock (_gate)
        {
            if (!_isOver)
                _turns.Enqueue((work, state));
        }
    }

    /// <summary>A program tells an actor something.</summary>
    public void FromProgram(in LabLetter letter)
    {
        lock (_gate)
        {
            if (!_isOver)
            {
                _fromPrograms.Add(letter);
                return;
            }
        }

        letter.Drop();
    }

    /// <summary>A program has something done to a host, in order with what it tells its actors.</summary>
    public void OnTurn(int host, Action action) => FromProgram(new LabLetter(host, null, action, null));

    /// <summary>An actor tells a program something.</summary>
    public void ToProgram(in LabLetter letter)
    {
        lock (_gate)
        {
            if (!_isOver)
            {
                _toPrograms.Enqueue(letter);
                return;
            }
        }

        letter.Drop();
    }

    /// <summary>Runs until the program is done.</summary>
    /// <param name="limit">Time goes no further.</param>
    /// <returns>Null, or why it cannot go on.</returns>
    public string? RunUntil(Task program, LabThreadPool pool, TimeSpan limit)
    {
        var atOneTime = 0;
        // Since when nothing has happened, of real time; 0: something has.
        var idleSince = 0L;
        while (true)
        {
            if (pool.WaitForRest() is { } unrest)
                return unrest;
            if (program.IsCompleted)
                return null;
            var turns = HandIn();
            for (; TryTurn(); turns++)
            {
                if (!pool.IsAtRest() && pool.WaitForRest() is { } late)
                    return late;
                if (turns > MostAtOneTime)
                    return "Time stands still: the stacks have something to do again and again.";
            }

            if (TryTell())
                turns++;
            atOneTime += turns;
            if (atOneTime > MostAtOneTime)
                return "Time stands still: programs and stacks have something to do again and again.";
            if (turns > 0)
            {
                idleSince = 0;
                continue;
            }

            var before = timers.Elapsed;
            if (timers.TakeNext(limit) is { } next)
            {
                atOneTime = timers.Elapsed > before ? 0 : atOneTime + 1;
                idleSince = 0;
                Run(next);
            }
            else if (!timers.IsEmpty)
            {
                return $"The limit of {limit} of the lab's time is over, and the program still waits. What it waits for does not come, or is not in the lab: time-outs and pauses are by Lab.Time, never by the system's clock.";
            }
            else
            {
                // Other things of the process may go on on the pool, and are none of the lab's.
                if (idleSince == 0)
                    idleSince = Stopwatch.GetTimestamp();
                if (!Debugger.IsAttached && Stopwatch.GetElapsedTime(idleSince) > OutsidePatience)
                    return "The program waits, and nothing is left in the lab that could happen: what it waits for does not come, or is not in the lab.";
                Thread.Sleep(1);
            }
        }
    }

    /// <summary>Runs until a task of the actor system is done, whatever programs do. Then nothing runs here any more.</summary>
    public void RunOut(Task done)
    {
        var began = Stopwatch.GetTimestamp();
        while (!done.IsCompleted && Stopwatch.GetElapsedTime(began) < EndPatience)
        {
            var turns = HandIn();
            while (TryTurn())
                turns++;
            if (TryTell())
                turns++;
            if (turns > 0)
                continue;
            Thread.Sleep(0);
        }

        List<LabLetter> rest;
        lock (_gate)
        {
            _isOver = true;
            _turns.Clear();
            rest = [.. _fromPrograms, .. _toPrograms];
            _fromPrograms.Clear();
            _toPrograms.Clear();
        }

        foreach (var letter in rest)
            letter.Drop();
    }

    private void Run(LabTimerEntry first)
    {
        first.Run();
        if (first.IsProgram)
            return;
        // Frames that arrive at the same time are one batch.
        while (timers.TakeDue() is { } next)
            next.Run();
    }

    /// <summary>Hands in what programs have told actors. By host: which of two programs on two hosts was faster is chance.</summary>
    private int HandIn()
    {
        lock (_gate)
            (_fromPrograms, _handedIn) = (_handedIn, _fromPrograms);
        var count = _handedIn.Count;
        if (count == 0)
            return 0;
        foreach (var letter in _handedIn.OrderBy(static letter => letter.Host))
            letter.Deliver();
        _handedIn.Clear();
        return count;
    }

    private bool TryTurn()
    {
        (Action<object?> Work, object? State) turn;
        lock (_gate)
        {
            if (!_turns.TryDequeue(out turn))
                return false;
        }

        turn.Work(turn.State);
        return true;
    }

    private bool TryTell()
    {
        LabLetter letter;
        lock (_gate)
        {
            if (!_toPrograms.TryDequeue(out letter))
                return false;
        }

        letter.Deliver();
        return true;
    }
}
