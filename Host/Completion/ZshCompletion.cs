using System.Text;
using Tapwire.Host.Commands;

namespace Tapwire.Host.Completion;

/// <summary>A script for zsh's completion system, built on its <c>_arguments</c>.</summary>
internal static class ZshCompletion
{
    public static string Write(CommandTree root)
    {
        var text = new StringBuilder();
        text.Append("""
            #compdef tapwire
            # Completion of tapwire for zsh, made by 'tapwire completion zsh'.
            # For one session: source <(tapwire completion zsh). For all of them: put it as _tapwire into a directory of $fpath.

            # Values that are only begun, also after a comma.
            _tapwire_begun() {
              compset -P '*,'
              compadd -S '' -- "$@"
            }

            _tapwire() {
              local curcontext=$curcontext state line
              typeset -A opt_args

            """);
        AppendGroup(text, root);
        text.Append("""
            }


            """);
        foreach (var group in root.Commands.Where(static command => command.Commands.Count > 0))
        {
            text.Append($"{FunctionOf(group)}() {{\n  local curcontext=$curcontext state line\n  typeset -A opt_args\n");
            AppendGroup(text, group);
            text.Append("}\n\n");
        }

        text.Append("""
            if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
              _tapwire "$@"
            else
              compdef _tapwire tapwire
            fi

            """);
        return text.ToString();
    }

    /// <summary>Appends the function of a command with subcommands: its own options, the subcommands' names, and the arguments of each.</summary>
    private static void AppendGroup(StringBuilder text, CommandTree group)
    {
        text.Append("  _arguments -C -S \\\n");
        foreach (var flag in group.Flags)
            AppendFlag(text, flag);
        text.Append("    '1: :->command' \\\n    '*:: :->rest'\n\n");
        text.Append("  case $state in\n  command)\n    local -a commands=(\n");
        foreach (var command in group.Commands)
            text.Append($"      '{Quoted($"{command.Name}:{command.Description}")}'\n");
        text.Append($"    )\n    _describe -t commands command commands\n    ;;\n  rest)\n    curcontext=${{curcontext%:*:*}}:{string.Join('-', group.Names)}-$words[1]:\n    case $words[1] in\n");
        foreach (var command in group.Commands)
        {
            text.Append($"    {command.Name})\n");
            if (command.Commands.Count > 0)
                text.Append($"      {FunctionOf(command)}");
            else
                AppendArguments(text, command);
            text.Append("\n      ;;\n");
        }

        text.Append("    esac\n    ;;\n  esac\n");
    }

    private static void AppendArguments(StringBuilder text, CommandTree command)
    {
        text.Append("      _arguments -S \\\n");
        foreach (var flag in command.Flags)
            AppendFlag(text, flag);
        foreach (var operand in command.Arguments)
            AppendOperand(text, operand);
        text.Length -= " \\\n".Length;
    }

    private static string FunctionOf(CommandTree group) => $"_{string.Join('_', group.Names)}";

    private static void AppendFlag(StringBuilder text, CommandFlag flag)
    {
        var names = string.Join(' ', flag.Names);
        var repeat = flag.IsRepeatable ? "*" : flag.Names.Count > 1 ? $"({names})" : "";
        var value = flag.Kind switch
        {
            ValueKind.None => "",
            ValueKind.File => $":{Field(flag.Argument)}:_files",
            ValueKind.Choice when flag.Choices[0].EndsWith(':') => $":{Field(flag.Argument)}:_tapwire_begun {Field(string.Join(' ', flag.Choices))}",
            ValueKind.Choice => $":{Field(flag.Argument)}:({string.Join(' ', flag.Choices)})",
            _ => $":{Field(flag.Argument)}: ",
        };
        foreach (var name in flag.Names)
        {
            var takes = flag.Kind == ValueKind.None ? "" : name.StartsWith("--", StringComparison.Ordinal) ? "=" : "+";
            text.Append($"    '{Quoted($"{repeat}{name}{takes}[{Bracketed(flag.Description)}]{value}")}' \\\n");
        }
    }

    private static void AppendOperand(StringBuilder text, CommandOperand operand) => text.Append(operand.Kind switch
    {
        ValueKind.Program => "    '(-)1:program: _command_names -e' \\\n    '*::arguments: _normal' \\\n",
        ValueKind.Choice => $"    '1:{Quoted(Field(operand.Name))}:({string.Join(' ', operand.Choices)})' \\\n",
        _ => $"    '1:{Quoted(Field(operand.Name))}: ' \\\n",
    });

    private static string Quoted(string text) => text.Replace("'", "'\\''", StringComparison.Ordinal);

    private static string Bracketed(string text) => text.Replace("[", "\\[", StringComparison.Ordinal).Replace("]", "\\]", StringComparison.Ordinal);

    private static string Field(string text) => text.Replace(":", "\\:", StringComparison.Ordinal);
}
