using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Wires;

namespace Tapwire.Actors;

/// <summary>Operator commands. One runs at a time, and none during a change of the settings; commands that arrive meanwhile wait.</summary>
public sealed partial class DriverActor
{
    private readonly WaitingCommands _waiting = new(Context.Self);
    private readonly InterfaceCommands _commands;

    private void CarryOut(InterfaceCommand command)
    {
        if (!IsReady)
        {
            _waiting.Add(command, Sender);
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
                case LeaseChanges lease:
                    LeaseQuestions.ApplyAsync(lease, _settings.AllInterfaces.FirstOrDefault(each => each.Name == lease.Interface), [.. _stacks]).PipeTo(Self);
                    BecomeCommanding(static _ => { });
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
        var settings = _settings.With(change.Changed);
        CommandQuestions.AskStacksAsync(change, [.. _stacks]).PipeTo(Self);
        BecomeCommanding(answer => Finish(answer, change.Changed.Name, settings, change.Done));
    }

    private void CarryOut(InterfaceComes command)
    {
        var added = command.Settings;
        InterfaceCommands.Check(added, _settings);
        var questions = _interfaces.OpenByCommand(added);
        CommandQuestions.AddAsync(added, questions, [.. _stacks]).PipeTo(Self);
        BecomeCommanding(answer =>
        {
            if (answer.Error != 0)
                EndTaps(added.Name);
            else
                _leases.Start([added], _sockets[0], _names);
            Finish(answer, added.Name, _settings with { Interfaces = [.. _settings.Interfaces, added] }, $"interface {added.Name} added");
        });
    }

    private void CarryOut(InterfaceGoes command)
    {
        InterfaceCommands.Check(command, _settings);
        CommandQuestions.RemoveAsync(RetireTaps(command.Name), [.. _stacks], _names).PipeTo(Self);
        // The driver has given the taps up already, so the interface leaves the settings whatever the stacks answer.
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

    /// <summary>Carries out a command. The current sender asked for it, and gets the answer before any command that waits.</summary>
    /// <param name="finish">Takes the stacks' answer.</param>
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
                _waiting.GoOn();
            });
            Receive<WhenReady>(_ => Sender.Tell(new DriverReady(_stacks[0], [.. _services.Distinct()])));
            Receive<Reconfigure>(reconfigure => _waiting.Add(reconfigure, Sender));
            Receive<StopDriver>(_ =>
            {
                asker.Tell(WaitingCommands.Stopping);
                Stop();
            });
            ReceiveAlways();
        });
    }

    /// <summary>Stops the taps of an interface that was opened and then refused.</summary>
    private void EndTaps(string name)
    {
        foreach (var tap in RetireTaps(name).Taps)
            tap.Tell(PoisonPill.Instance);
    }

    /// <summary>Takes the taps of an interface from the driver, which expects them to end from now on.</summary>
    private InterfaceTaps RetireTaps(string name)
    {
        var taps = _interfaces.Take(name);
        _retired.UnionWith([.. taps, .. _leases.Retire(name, _names)]);
        return new InterfaceTaps(name, taps);
    }
}
