using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>Commands of an operator, one after the other, and never beside a change of the settings: what comes meanwhile waits.</summary>
public sealed partial class DriverActor
{
    private const int MaxWaiting = 64;

    private readonly Queue<(object Message, IActorRef Asker)> _waiting = [];
    private readonly InterfaceCommands _commands;

    private void CarryOut(InterfaceCommand command)
    {
        if (!IsReady)
        {
            Wait(command);
            return;
        }

        try
        {
            switch (command)
            {
                case InterfaceComes comes:
                    CarryOut(comes);
                    break;
                case InterfaceGoes goes:
                    CarryOut(goes);
                    break;
                default:
                    CarryOut(InterfaceCommands.Plan(command, _settings));
                    break;
            }
        }
        catch (CommandRefusedException e)
        {
            Sender.Tell(e.Answer);
        }
    }

    private void CarryOut(InterfaceChange change)
    {
        var settings = change.Changed.Name == _settings.Wire.Name
            ? _settings with { Addresses = change.Changed.Addresses, Gateway = change.Changed.Gateway, Routes = change.Changed.Routes }
            : _settings with { Interfaces = [.. _settings.Interfaces.Select(each => each.Name == change.Changed.Name ? change.Changed : each)] };
        AskStacksAsync(change, [.. _stacks]).PipeTo(Self);
        BecomeCommanding(answer => Finish(answer, change.Changed.Name, settings, change.Done));
    }

    private void CarryOut(InterfaceComes command)
    {
        var added = command.Settings;
        InterfaceCommands.Check(added, _settings);
        IReadOnlyList<AttachInterface> questions;
        try
        {
            questions = _interfaces.Open(added);
        }
        catch (WireException e)
        {
            throw new CommandRefusedException(LinkErrno.NoDevice, e.Message);
        }

        AddAsync(added, questions, [.. _stacks]).PipeTo(Self);
        BecomeCommanding(answer =>
        {
            if (answer.Error != 0)
                EndTaps(added.Name);
            Finish(answer, added.Name, _settings with { Interfaces = [.. _settings.Interfaces, added] }, $"interface {added.Name} added");
        });
    }

    private void CarryOut(InterfaceGoes command)
    {
        InterfaceCommands.Check(command, _settings);
        var taps = _interfaces.Take(command.Name);
        _retired.UnionWith(taps);
        RemoveAsync(new InterfaceTaps(command.Name, taps), [.. _stacks]).PipeTo(Self);
        // Its taps are no longer the driver's, whatever the answer.
        var settings = _settings with { Interfaces = [.. _settings.Interfaces.Where(each => each.Name != command.Name)] };
        BecomeCommanding(_ => Finish(CommandAnswer.Done, command.Name, settings, $"interface {command.Name} removed"));
    }

    private void Finish(CommandAnswer answer, string name, DriverSettings settings, string done)
    {
        if (answer.Error != 0)
            return;
        _settings = settings;
        _commands.Changed(name);
        _log.Info("By a command: {Change}", done);
    }

    /// <summary>While a command is carried out. Its asker is the first of those who wait.</summary>
    /// <param name="finish">Takes what has come of it.</param>
    private void BecomeCommanding(Action<CommandAnswer> finish)
    {
        var asker = Sender;
        Become(() =>
        {
            Receive<CommandSettled>(settled =>
            {
                finish(settled.Answer);
                asker.Tell(settled.Answer);
                Become(Starting);
                GoOnWithWaiting();
            });
            Receive<WhenReady>(_ => Sender.Tell(new DriverReady(_stacks[0], [.. _services.Distinct()])));
            Receive<Reconfigure>(Wait);
            Receive<StopDriver>(_ =>
            {
                asker.Tell(StoppingAnswer);
                Stop();
            });
            ReceiveAlways();
        });
    }

    /// <summary>An interface of a driver that runs has not come, after all.</summary>
    private void EndTaps(string name)
    {
        var taps = _interfaces.Take(name);
        _retired.UnionWith(taps);
        foreach (var tap in taps)
            tap.Tell(PoisonPill.Instance);
    }

    private void Wait(object message)
    {
        if (_waiting.Count < MaxWaiting)
            _waiting.Enqueue((message, Sender));
        else if (message is InterfaceCommand)
            Sender.Tell(new CommandAnswer(LinkErrno.Busy, "The driver is busy with too many commands; ask again later."));
        else
            Refuse("The driver is busy with too many commands.");
    }

    /// <summary>Those that find the driver busy again wait again, in their order.</summary>
    private void GoOnWithWaiting()
    {
        while (_waiting.TryDequeue(out var waiting))
            Self.Tell(waiting.Message, waiting.Asker);
    }

    private void RefuseWaiting()
    {
        while (_waiting.TryDequeue(out var waiting))
            waiting.Asker.Tell(waiting.Message is InterfaceCommand ? StoppingAnswer : new Status.Failure(new InvalidOperationException("The driver is stopping.")));
    }

    private static readonly CommandAnswer StoppingAnswer = new((int)StackError.ConnectionAborted, "The driver is stopping.");

    private static async Task<CommandSettled> AskStacksAsync(InterfaceChange change, IReadOnlyList<IActorRef> stacks)
    {
        try
        {
            // The shards have the same addresses, and so give the same answers.
            var answers = await Task.WhenAll(stacks.Select(stack => stack.Ask<AddressAnswer>(change.Question, ChangePatience)));
            return new CommandSettled(answers[0].Error == StackError.None ? CommandAnswer.Done : new((int)answers[0].Error, $"{change.Refused}: {answers[0].Error.Describe()}."));
        }
        catch (AskTimeoutException)
        {
            return new CommandSettled(new((int)StackError.TimedOut, "A part of the driver has not answered."));
        }
    }

    private static async Task<CommandSettled> AddAsync(InterfaceSettings added, IReadOnlyList<AttachInterface> questions, IReadOnlyList<IActorRef> stacks)
    {
        var outcome = await InterfaceChanges.AddAsync(stacks, [(added, questions)]);
        return new CommandSettled(outcome.Refused.Count == 0 ? CommandAnswer.Done : new((int)StackError.InvalidArgument, outcome.Outcome.Problems[0]));
    }

    private static async Task<CommandSettled> RemoveAsync(InterfaceTaps gone, IReadOnlyList<IActorRef> stacks)
    {
        var outcome = await InterfaceChanges.RemoveAsync(stacks, [gone]);
        return new CommandSettled(outcome.Outcome.Problems.Count == 0 ? CommandAnswer.Done : new((int)StackError.TimedOut, outcome.Outcome.Problems[0]));
    }

    /// <summary>The driver → itself: the stacks have done, or refused, what a command asks.</summary>
    private sealed record CommandSettled(CommandAnswer Answer);
}
