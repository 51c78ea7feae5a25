namespace Tapwire.Tests.Live.Support;

/// <summary>
/// Clients of iperf3, one after the other. A server says "busy" while it still ends the run before, and does not listen for a moment after that: such a run is tried again.
/// </summary>
internal static class Iperf
{
    /// <summary>A function of the shell, <c>iperf</c>, with the arguments of iperf3. It fails when something else is wrong, or after some ten seconds.</summary>
    public const string Function = """
        iperf() {
            for try in $(seq 100); do
                if said=$(timeout 60 iperf3 "$@" 2>&1); then printf '%s\n' "$said"; return; fi
                case $said in *busy*|*refused*|*reset*) sleep 0.1 ;; *) break ;; esac
            done
            printf '%s\n' "$said" >&2
            return 1
        }
        """;

    /// <summary>Arguments for <c>sh</c> that do the same.</summary>
    public static string[] Arguments(params string[] arguments) => ["-c", $"{Function}\niperf \"$@\"", "sh", .. arguments];
}
