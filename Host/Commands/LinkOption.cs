using System.CommandLine;
using System.Net.Sockets;
using Tapwire.Links;
using Tapwire.Links.Client;

namespace Tapwire.Host.Commands;

/// <summary>How commands find the driver that is running.</summary>
internal static class LinkOption
{
    public static readonly Option<string?> Path = new("--link") { Description = "The running driver's socket.", HelpName = "PATH" };

    /// <exception cref="CommandFailedException">No driver is there.</exception>
    public static async Task<TapwireClient> ConnectAsync(ParseResult parsed, CancellationToken cancel)
    {
        var path = parsed.GetValue(Path) ?? LinkEndpointPath.Default;
        try
        {
            return await TapwireClient.ConnectAsync(path, cancel);
        }
        catch (SocketException e)
        {
            throw new CommandFailedException($"No driver answers at '{path}'; start one with 'tapwire up', or name its socket with --link.", e);
        }
    }
}
