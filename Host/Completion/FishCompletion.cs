using System.Text;
using Tapwire.Host.Commands;

namespace Tapwire.Host.Completion;

/// <summary>A script for fish 3 or later.</summary>
internal static class FishCompletion
{
    public static string Write(CommandTree root)
    {
        var text = new StringBuilder();
        text.Append("""
            # Completion of tapwire for fish, made by 'tapwire completion fish'.
            # For one session: tapwire completion fish | source. For all of them: put it into ~/.config/fish/completions/tapwire.fish.

            # Whether the command is that of $argv, one word or two, and no program of 'run' has begun.
            function __tapwire_command
                set -l words (commandline -opc)
                set -l last (math 1 + (count $argv))
                test (count $words) -ge $last; and test "$words[2..$last]" = "$argv"; and not contains -- -- $words
            end

            # Whether the command that comes next is one of those of $argv[1].
            function __tapwire_no_subcommand
                set -l words (commandline -opc)
                test (count $words) -eq 2; and test "$words[2]" = $argv[1]
            end

            function __tapwire_no_command
                test (count (commandline -opc)) -eq 1
            end

            # Whether this is the first word after 'tapwire $argv' that is no option.
            function __tapwire_first_operand
                __tapwire_command $argv; and test (count (string match -v -- '-*' (commandline -opc))) -eq (math 1 + (count $argv))
            end

            function __tapwire_has_program
                set -l words (commandline -opc)
                test "$words[2]" = run; and contains -- -- $words
            end

            function __tapwire_program
                set -l words (commandline -opc)
                set -e words[1..(contains -i -- -- $words)]
                complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
            end

            complete -c tapwire -f

            """);
        foreach (var flag in root.Flags)
            AppendFlag(text, "__tapwire_no_command", flag);
        foreach (var command in root.Commands)
            text.Append($"complete -c tapwire -n __tapwire_no_command -a {command.Name} -d '{Quoted(command.Description)}'\n");
        foreach (var command in root.All.Skip(1))
        {
            text.Append('\n');
            foreach (var flag in command.Flags)
                AppendFlag(text, command.Commands.Count > 0 ? $"__tapwire_no_subcommand {command.Path}" : $"__tapwire_command {command.Path}", flag);
            foreach (var child in command.Commands)
                text.Append($"complete -c tapwire -n '__tapwire_no_subcommand {command.Path}' -a {child.Name} -d '{Quoted(child.Description)}'\n");
            foreach (var operand in command.Arguments)
            {
                if (operand.Kind == ValueKind.Program)
                {
                    text.Append("complete -c tapwire -n __tapwire_has_program -a '(__tapwire_program)'\n");
                    text.Append($"complete -c tapwire -n '__tapwire_first_operand {command.Path}' -a '(__fish_complete_command)'\n");
                }
                else if (operand.Kind == ValueKind.Choice)
                {
                    text.Append($"complete -c tapwire -n '__tapwire_first_operand {command.Path}' -a '{string.Join(' ', operand.Choices)}'\n");
                }
            }
        }

        return text.ToString();
    }

    private static void AppendFlag(StringBuilder text, string condition, CommandFlag flag)
    {
        text.Append($"complete -c tapwire -n '{condition}'");
        foreach (var name in flag.Names)
            text.Append(name.StartsWith("--", StringComparison.Ordinal) ? $" -l {name[2..]}" : $" -s {name[1..]}");
        text.Append(flag.Kind switch
        {
            ValueKind.None => "",
            ValueKind.File => " -r -F",
            ValueKind.Choice => $" -x -a '{string.Join(' ', flag.Choices)}'",
            _ => " -x",
        });
        text.Append($" -d '{Quoted(flag.Description)}'\n");
    }

    private static string Quoted(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal);
}
