using System.CommandLine;
using System.Text.Json;
using Tapwire.Host.Diagnosis;

namespace Tapwire.Host.Commands;

/// <summary><c>tapwire doctor</c>: reports what this machine supports, and how to add what is missing.</summary>
internal static class DoctorCommand
{
    private const int Width = 80;
    private const int Indent = 26;

    private static readonly Option<bool> Json = Flags.Switch("--json", "As JSON, on one line.");

    private static readonly Flag<string?> Config = Flags.File("--config", "A settings file to be checked, too.");

    private static readonly JsonSerializerOptions JsonOptions = new(JsonSerializerDefaults.Web);

    public static Command Create()
    {
        var command = new ExampledCommand("doctor", "Says what this machine can do for Tapwire, and what to do about each lack. Changes nothing.",
            "tapwire doctor",
            "tapwire doctor --config /etc/tapwire/tapwire.hocon") { Config, Json };
        command.SetAction((parsed, _) => RunAsync(parsed));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed)
    {
        using var interrupt = new Interrupt();
        var findings = Finding.From(await Examination.RunAsync(parsed.Read(Config), interrupt.Token));
        if (parsed.GetValue(Json))
        {
            Console.WriteLine(JsonSerializer.Serialize(findings.Select(static finding => new
            {
                Verdict = Word(finding.Verdict),
                finding.Subject,
                finding.What,
                finding.Remedy,
            }), JsonOptions));
        }
        else
        {
            foreach (var finding in findings)
                Show(finding);
        }

        return findings.Any(static finding => finding.Verdict == Verdict.Missing) ? ExitCode.Failed : ExitCode.Done;
    }

    private static string Word(Verdict verdict) => verdict switch
    {
        Verdict.Ok => "ok",
        Verdict.Limited => "limited",
        _ => "missing",
    };

    private static void Show(Finding finding)
    {
        var head = $"{Word(finding.Verdict),-9}{finding.Subject,-Indent + 9}";
        foreach (var line in Wrap(finding.What).Concat(Wrap(finding.Remedy ?? "")))
        {
            Console.WriteLine(head + line);
            head = new string(' ', Indent);
        }
    }

    /// <summary>Breaks a text into lines that fit beside the subject. A word without blanks, such as a path, stays whole.</summary>
    internal static IEnumerable<string> Wrap(string text)
    {
        var line = "";
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > Width - Indent)
            {
                yield return line;
                line = "";
            }

            line = line.Length == 0 ? word : $"{line} {word}";
        }

        if (line.Length > 0)
            yield return line;
    }
}
