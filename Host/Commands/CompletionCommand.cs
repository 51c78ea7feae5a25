using System.CommandLine;
using Tapwire.Host.Completion;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire completion SHELL</c>: prints a script with which the shell completes this program's command line.</summary>
internal static class CompletionCommand
{
    private static readonly Dictionary<string, Func<CommandTree, string>> Shells = new()
    {
        ["bash"] = BashCompletion.Write,
        ["zsh"] = ZshCompletion.Write,
        ["fish"] = FishCompletion.Write,
    };

    public static Command Create()
    {
        var shell = new Argument<string>("SHELL") { Description = "bash, zsh or fish." };
        shell.CompletionSources.Add([.. Shells.Keys]);
        shell.Validators.Add(result =>
        {
            if (result.Tokens is [var token, ..] && !Shells.ContainsKey(token.Value))
                result.AddError($"SHELL is \"{token.Value}\"; it must be bash, zsh or fish.");
        });
        var command = new Command("completion", "Prints a script that lets a shell complete Tapwire's commands and options.") { shell };
        command.SetAction(parsed =>
        {
            Console.Write(Shells[parsed.GetValue(shell)!](CommandTree.Of((RootCommand)parsed.RootCommandResult.Command)));
            return ExitCode.Done;
        });
        return command;
    }
}
