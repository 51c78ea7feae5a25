using System.Text;
using Tapwire.Host.Commands;

namespace Tapwire.Host.Completion;

/// <summary>
/// A script for bash 4 or later, without dependencies. If bash-completion is loaded, the script uses it for the program that <c>run</c> starts.
/// </summary>
internal static class BashCompletion
{
    public static string Write(CommandTree root)
    {
        var text = new StringBuilder();
        text.Append("""
            # Completion of tapwire for bash, made by 'tapwire completion bash'.
            # For one session: source <(tapwire completion bash). For all of them: put it into /usr/share/bash-completion/completions/tapwire.

            # Values that are words, also after a comma. One that ends in a colon is only begun.
            _tapwire_words() {
                local head=
                [[ $cur == *,* ]] && head=${cur%,*},
                mapfile -t COMPREPLY < <(compgen -P "$head" -W "$1" -- "${cur##*,}")
                [[ ${COMPREPLY[*]} == *: ]] && compopt -o nospace 2>/dev/null
            }

            _tapwire_files() {
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
            }

            _tapwire() {
                # bash takes a word apart at ':' and '='; what stands without a blank between belongs together.
                local rest=$COMP_LINE trimmed piece words=()
                for piece in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
                    trimmed=${rest#"${rest%%[![:space:]]*}"}
                    if ((${#words[@]} == 0)) || [[ $trimmed != "$rest" ]]; then
                        words+=("$piece")
                    else
                        words[${#words[@]}-1]+=$piece
                    fi
                    rest=${trimmed#"$piece"}
                done

                local count=$((${#words[@]} - 1)) cur=${words[${#words[@]}-1]} last=${COMP_WORDS[COMP_CWORD]}
                local prev= command= operands=0 options=1 program=0 i
                [[ $last == [:=] ]] && last=
                for ((i = 1; i < count; i++)); do
                    if ((program)); then
                        break
                    elif [[ ${words[i]} == -- && $command == run ]]; then
                        program=$((i + 1)) options=0
                    elif [[ ${words[i]} == -* ]]; then
                        if _tapwire_takes "$command" "${words[i]}"; then
                            ((i + 1 == count)) && prev=${words[i]}
                            i=$((i + 1))
                        fi
                    elif [[ -z $command ]]; then
                        command=${words[i]}
                    elif _tapwire_group "$command"; then
                        command+=" ${words[i]}"
                    elif [[ $command == run ]]; then
                        program=$i options=0
                    else
                        operands=$((operands + 1))
                    fi
                done

                COMPREPLY=()
                if ((program)); then
                    _tapwire_program "$program" "$count"
                    return
                fi
                if [[ -z $prev && $cur == --*=* ]]; then
                    prev=${cur%%=*}
                    cur=${cur#*=}
                fi
                _tapwire_reply "$command" "$prev" "$operands"

                # What bash has taken apart, it puts together again.
                local head=${cur%"$last"}
                for i in "${!COMPREPLY[@]}"; do
                    COMPREPLY[i]=${COMPREPLY[i]#"$head"}
                done
            }

            # The program of 'run', whose first word is word $1 of $2.
            _tapwire_program() {
                if declare -F _command_offset >/dev/null; then
                    local at
                    for ((at = COMP_CWORD; at > 0; at--)); do
                        [[ ${COMP_WORDS[at]} == "${words[$1]}" && (${COMP_WORDS[at-1]} == -- || $1 == "$2" || ${COMP_WORDS[at-1]} == "${words[$1-1]}") ]] && break
                    done
                    ((at > 0)) && _command_offset "$at"
                elif (($1 == $2)); then
                    mapfile -t COMPREPLY < <(compgen -c -- "$cur")
                else
                    _tapwire_files
                fi
            }


            """);
        WriteGroups(text, root);
        WriteTakes(text, root);
        WriteReply(text, root);
        text.Append("complete -F _tapwire tapwire\n");
        return text.ToString();
    }

    /// <summary>Writes the test whether a command has subcommands.</summary>
    private static void WriteGroups(StringBuilder text, CommandTree root) =>
        text.Append($"# Whether command $1 has commands of its own.\n_tapwire_group() {{\n    [[ $1 == @({string.Join('|', root.Commands.Where(static command => command.Commands.Count > 0).Select(static command => command.Name))}) ]]\n}}\n\n");

    /// <summary>Writes the test whether an option takes a value.</summary>
    private static void WriteTakes(StringBuilder text, CommandTree root)
    {
        text.Append("# Whether a value follows option $2 of command $1.\n_tapwire_takes() {\n    case \"$1 $2\" in\n");
        foreach (var command in root.All)
        {
            var names = command.Flags.Where(static flag => flag.Kind != ValueKind.None).SelectMany(static flag => flag.Names).ToList();
            if (names.Count > 0)
                text.Append($"        {string.Join(" | ", names.Select(name => $"'{command.Path} {name}'"))}) return 0 ;;\n");
        }

        text.Append("    esac\n    return 1\n}\n\n");
    }

    private static void WriteReply(StringBuilder text, CommandTree root)
    {
        text.Append("# Completes $cur: command $1, the option $2 whose value it is, and $3 words before it.\n_tapwire_reply() {\n    case \"$1 $2\" in\n");
        foreach (var command in root.All)
        {
            foreach (var flag in command.Flags.Where(static flag => flag.Kind != ValueKind.None))
            {
                var action = flag.Kind switch
                {
                    ValueKind.File => "_tapwire_files",
                    ValueKind.Choice => $"_tapwire_words '{string.Join(' ', flag.Choices)}'",
                    _ => ":",
                };
                text.Append($"        {string.Join(" | ", flag.Names.Select(name => $"'{command.Path} {name}'"))}) {action} ;;\n");
            }
        }

        foreach (var command in root.All)
        {
            text.Append($"        '{command.Path} ')\n");
            text.Append($"            if [[ $cur == -* ]]; then\n                _tapwire_words '{string.Join(' ', command.Flags.SelectMany(static flag => flag.Names))}'\n");
            if (command.Commands.Count > 0)
                text.Append($"            else\n                _tapwire_words '{string.Join(' ', command.Commands.Select(static child => child.Name))}'\n");
            else if (command.Arguments is [{ Kind: ValueKind.Choice } operand, ..])
                text.Append($"            elif (($3 == 0)); then\n                _tapwire_words '{string.Join(' ', operand.Choices)}'\n");
            else if (command.Arguments is [{ Kind: ValueKind.Program }, ..])
                text.Append("            else\n                mapfile -t COMPREPLY < <(compgen -c -- \"$cur\")\n");
            text.Append("            fi ;;\n");
        }

        text.Append("    esac\n}\n\n");
    }
}
