using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net.Sockets;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Tapwire.Links.Client;

namespace Tapwire.Host.Commands;

/// <summary>The common parts of commands that change a running driver: the connection, and the message of a refusal.</summary>
internal static class OperatorCommand
{
    /// <summary>The time-out for the driver's answer, which waits for its parts in turn.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>The interface option; <c>dev</c> as in iproute2 is an alias.</summary>
    public static Flag<string?> Interface(string description)
    {
        var flag = Flags.Value<string?>("--interface", description, "NAME", static (string text, out string? value) => (value = text).Length > 0, AcceptedName, null);
        flag.Aliases.Add("dev");
        return flag;
    }

    public const string AcceptedName = "the name of an interface, as 'tapwire interface list' shows it";

    /// <summary>Gives the command its link option and its action.</summary>
    public static Command Doing(this Command command, Func<ParseResult, TapwireClient, CancellationToken, Task> act) => command.Doing(static parsed => parsed, act);

    /// <summary>Gives the command its link option and its action. Values are read before connecting, so a bad command line fails even without a driver.</summary>
    /// <param name="longer">How much longer than a driver's answer it may take; null: no longer.</param>
    public static Command Doing<T>(this Command command, Func<ParseResult, T> read, Func<T, TapwireClient, CancellationToken, Task> act, Func<T, TimeSpan>? longer = null)
    {
        command.Add(LinkOption.Path);
        command.SetAction((parsed, _) => Interrupt.RunAsync(async interrupt =>
        {
            var what = read(parsed);
            var path = LinkOption.PathOf(parsed);
            using var client = await LinkOption.ConnectAsync(path, LinkOption.Patience, interrupt.Token);
            try
            {
                await LinkOption.AskAsync(async cancel =>
                {
                    await act(what, client, cancel);
                    return true;
                }, path, Patience + (longer?.Invoke(what) ?? TimeSpan.Zero), interrupt.Token);
                return ExitCode.Done;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.OperationNotSupported)
            {
                throw new CommandFailedException($"The driver at '{path}' does not know this command: it is of an older release; start it again after an update.", e);
            }
            catch (SocketException e)
            {
                throw new CommandFailedException(e.Message, e);
            }
        }));
        return command;
    }

    /// <summary>iproute2's other words for <c>remove</c>.</summary>
    public static Command Removal(Command remove)
    {
        remove.Aliases.Add("delete");
        remove.Aliases.Add("del");
        return remove;
    }

    /// <summary>An argument whose parser explains what is wrong with a value.</summary>
    public static Argument<T> Argument<T>(string name, string description, ItemParser<T> parse, string accepted) => new(name)
    {
        Description = description,
        HelpName = name,
        CustomParser = result =>
        {
            var text = result.Tokens[0].Value;
            if (parse(text, out var value, out var problem))
                return value;
            result.AddError($"{name} is {Complaint.Quote(text)}; it must be {SettingsReader.Because(accepted, problem)}.");
            return default;
        },
    };
}
