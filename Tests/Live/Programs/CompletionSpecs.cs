using System.Diagnostics;
using Tapwire.Tests.Host;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary><c>tapwire completion</c>: what the shells themselves make of its scripts.</summary>
[Collection(HostCollection.Name)]
public sealed class CompletionSpecs : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-completion-");

    public void Dispose() => _directory.Delete(recursive: true);

    // The words are as bash takes a line apart: also at ':' and '='.
    [SkippableTheory]
    [InlineData("tapwire |u", "up")]
    [InlineData("tapwire |", "address browse cable capture completion demo doctor interface kill neighbor ping reload resolve route run status stop up")]
    [InlineData("tapwire |interface |", "add list remove")]
    [InlineData("tapwire |interface |ad", "add")]
    [InlineData("tapwire |interface |add |--wire |", "qemu: tap: tun: vxlan: wg:")]
    [InlineData("tapwire |interface |add |--pe", "--peer-address")]
    [InlineData("tapwire |interface |list |", "")]
    [InlineData("tapwire |route |add |10.0.0.0/8 |--int", "--interface")]
    [InlineData("tapwire |route |--he", "--help")]
    [InlineData("tapwire |--ver", "--version")]
    [InlineData("tapwire |up |--wi", "--wire")]
    [InlineData("tapwire |up |--wire |", "qemu: tap: tun: vxlan: wg:")]
    [InlineData("tapwire |up |--wire |tap|:", "")]
    [InlineData("tapwire |up |--wire|=|tu", "tun:")]
    [InlineData("tapwire |up |--serve |ec", "echo:")]
    [InlineData("tapwire |up |--serve |echo|:|7,ht", "7,http:")]
    [InlineData("tapwire |up |--log-level |war", "warning")]
    [InlineData("tapwire |up |--log-level|=|war", "warning")]
    [InlineData("tapwire |up |--config |FILES/s", "FILES/settings.hocon")]
    [InlineData("tapwire |up |--config|=|FILES/s", "FILES/settings.hocon")]
    [InlineData("tapwire |up |--log-file |FILES/s", "FILES/settings.hocon")]
    [InlineData("tapwire |status |--link |FILES/s", "FILES/settings.hocon")]
    [InlineData("tapwire |up |--address |", "")]
    [InlineData("tapwire |ping |--cou", "--count")]
    [InlineData("tapwire |ping |10.0.0.1 |--cou", "--count")]
    [InlineData("tapwire |completion |", "bash fish zsh")]
    [InlineData("tapwire |completion |bash |", "")]
    [InlineData("tapwire |run |--link |/x |tapwire-probe-", "tapwire-probe-program")]
    [InlineData("tapwire |run |-- |tapwire-probe-", "tapwire-probe-program")]
    [InlineData("tapwire |run |-- |cat |FILES/s", "FILES/settings.hocon")]
    [InlineData("tapwire |run |-- |up |--wi", "")]
    public async Task Bash_completes_commands_options_values_files_and_programs(string line, string expected)
    {
        var script = await ScriptAsync("bash");
        var words = line.Replace("FILES", _directory.FullName, StringComparison.Ordinal).Split('|');
        File.WriteAllText(Path.Combine(_directory.FullName, "settings.hocon"), "");
        // A program by that name, as the shell itself knows it.
        var answer = Run("bash", ["--norc", "-c", """
            source "$1"
            tapwire-probe-program() { :; }
            shift
            COMP_LINE= COMP_WORDS=()
            for word in "$@"; do COMP_LINE+=$word COMP_WORDS+=("${word% }"); done
            COMP_POINT=${#COMP_LINE} COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
            _tapwire tapwire "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}" 2>/dev/null
            [ ${#COMPREPLY[@]} = 0 ] || printf '%s\n' "${COMPREPLY[@]}" | sort -u
            """, "bash", script, .. words]);
        Assert.Equal(expected.Replace("FILES", _directory.FullName, StringComparison.Ordinal), string.Join(' ', answer.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    [SkippableTheory]
    [InlineData("tapwire ", "up")]
    [InlineData("tapwire up --wi", "--wire")]
    [InlineData("tapwire up --log-level war", "warning")]
    [InlineData("tapwire up --wire t", "tap:")]
    [InlineData("tapwire up --config FILES/s", "FILES/settings.hocon")]
    [InlineData("tapwire completion f", "fish")]
    [InlineData("tapwire interface a", "add")]
    [InlineData("tapwire interface add --wi", "--wire")]
    [InlineData("tapwire interface add --wire t", "tap:")]
    [InlineData("tapwire route add 10.0.0.0/8 --int", "--interface")]
    [InlineData("tapwire run -- cat FILES/s", "FILES/settings.hocon")]
    public async Task Fish_completes_them(string line, string expected)
    {
        var script = await ScriptAsync("fish");
        File.WriteAllText(Path.Combine(_directory.FullName, "settings.hocon"), "");
        var answer = Run("fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", script, line.Replace("FILES", _directory.FullName, StringComparison.Ordinal));
        Assert.Contains(expected.Replace("FILES", _directory.FullName, StringComparison.Ordinal), answer.Split('\n').Select(static completion => completion.Split('\t')[0]));
    }

    [SkippableFact]
    public async Task Zsh_reads_its_script_and_completes_by_it()
    {
        var script = await ScriptAsync("zsh");
        // The completion system only works in a terminal of its own, which the shell has a module for.
        var answer = Run("zsh", "-f", "-c", """
            zmodload zsh/zpty || exit 3
            zpty shell zsh -f -i
            zpty -w shell 'PROMPT=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -D -u; source '$1'; stty -echo; print re""ady'
            zpty -r -m shell answer '*ready*'
            for line in $argv[2,-1]; do
              zpty -w -n shell "$line"$'\t'
              zpty -w -n shell $'\C-a'": '"$'\C-e'"'; print en\"\"d"$'\n'
              zpty -r -m shell answer '*end*'
              print -r -- "$answer"
            done
            zpty -d shell
            """, "zsh", script, "tapwire complet", "tapwire up --gatew", "tapwire up --log-level=warn", "tapwire up --serve echo:7,ht",
            "tapwire up --wire tu", "tapwire interface rem", "tapwire interface add --peer", "tapwire run -- cat /etc/hostn");
        foreach (var completed in (string[])["tapwire completion", "--gateway", "=warning", "echo:7,http:", "tun:", "interface remove", "--peer-address", "cat /etc/hostname"])
            Assert.Contains(completed, answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_shell_is_refused_with_those_that_there_are()
    {
        var (code, output, error) = await CommandLineRun.OfAsync("completion", "tcsh");
        Assert.Equal((2, ""), (code, output));
        Assert.Contains("SHELL is \"tcsh\"; it must be bash, zsh or fish.", error, StringComparison.Ordinal);
    }

    private async Task<string> ScriptAsync(string shell)
    {
        var (code, output, error) = await CommandLineRun.OfAsync("completion", shell);
        Assert.Equal((0, ""), (code, error));
        var path = Path.Combine(_directory.FullName, "completion");
        await File.WriteAllTextAsync(path, output);
        return path;
    }

    /// <summary>Skips where there is no such shell.</summary>
    private static string Run(string shell, params string[] arguments)
    {
        Process process;
        try
        {
            process = ProgramStart.Run(new ProcessStartInfo(shell, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true });
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Skip.If(true, $"there is no {shell}");
            return "";
        }

        using (process)
        {
            process.StandardInput.Close();
            var error = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.Equal("", error.Result);
            return output;
        }
    }
}
