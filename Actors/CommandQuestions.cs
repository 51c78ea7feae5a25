using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Messages;
using Tapwire.Stack;

namespace Tapwire.Actors;

/// <summary>DriverActor → itself: the stacks have carried out a command, or refused it.</summary>
internal sealed record CommandSettled(CommandAnswer Answer);

/// <summary>Asks the stacks to carry out commands. It runs outside the driver's actor, and only asks actors.</summary>
internal static class CommandQuestions
{
    public static async Task<CommandSettled> AskStacksAsync(InterfaceChange change, IReadOnlyList<IActorRef> stacks)
    {
        try
        {
            // All shards have the same addresses, so their answers are the same.
            var answers = await Task.WhenAll(stacks.Select(stack => stack.Ask<AddressAnswer>(change.Question, DriverActor.ChangePatience)));
            if (answers.All(static answer => answer.Error == StackError.AddressNotAvailable) && change.Missing is { } missing)
                return new CommandSettled(new CommandAnswer(StackError.AddressNotAvailable, missing));
            // A shard that has not heard of a neighbour has none to forget.
            if (change.Question is ChangeNeighbor { Hardware: null })
                return new CommandSettled(CommandAnswer.Done);
            return new CommandSettled(answers[0].Error == StackError.None ? CommandAnswer.Done : new((int)answers[0].Error, $"{change.Refused}: {answers[0].Error.Describe()}."));
        }
        catch (AskTimeoutException)
        {
            return new CommandSettled(new((int)StackError.TimedOut, "A part of the driver has not answered."));
        }
    }

    public static async Task<CommandSettled> AddAsync(InterfaceSettings added, IReadOnlyList<AttachInterface> questions, IReadOnlyList<IActorRef> stacks)
    {
        var outcome = await InterfaceChanges.AddAsync(stacks, [(added, questions)]);
        return new CommandSettled(outcome.Refused.Count == 0 ? CommandAnswer.Done : new((int)StackError.InvalidArgument, outcome.Outcome.Problems[0]));
    }

    public static async Task<CommandSettled> RemoveAsync(InterfaceTaps gone, IReadOnlyList<IActorRef> stacks, IActorRef names)
    {
        var outcome = await InterfaceChanges.RemoveAsync(stacks, names, [gone]);
        return new CommandSettled(outcome.Outcome.Problems.Count == 0 ? CommandAnswer.Done : new((int)StackError.TimedOut, outcome.Outcome.Problems[0]));
    }
}
