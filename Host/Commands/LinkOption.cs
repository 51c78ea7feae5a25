using System.CommandLine;
using System.Net.Sockets;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Links.Client;

namespace Tapwire.Host.Commands;

/// <summary>How commands find the driver that is running, and how long they wait for it.</summary>
internal static class LinkOption
{
    /// <summary>How long a driver may take for what it does at once when it is well.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static readonly Flag<string?> Path = Flags.Socket("--link", "The running driver's socket; your own driver's when not given, or else the system's.");

    /// <summary>The socket that the command line names, or the one that is found without.</summary>
    public static string PathOf(ParseResult parsed) => parsed.Read(Path) is { Length: > 0 } given ? System.IO.Path.GetFullPath(given) : LinkEndpointPath.Find();

    /// <exception cref="CommandFailedException">No driver can be reached there, and why.</exception>
    public static async Task<TapwireClient> ConnectAsync(string path, TimeSpan patience, CancellationToken cancel)
    {
        try
        {
            return await WithinAsync(token => TapwireClient.ConnectAsync(path, token), path, patience, cancel);
        }
        catch (SocketException e)
        {
            throw new CommandFailedException(e.Message, e);
        }
    }

    /// <summary>Asks something of the driver that it is to answer in time.</summary>
    /// <exception cref="CommandFailedException">It has not, or has gone.</exception>
    /// <exception cref="SocketException">It has answered with an error.</exception>
    public static async Task<T> AskAsync<T>(Func<CancellationToken, Task<T>> ask, string path, TimeSpan patience, CancellationToken cancel)
    {
        try
        {
            return await WithinAsync(ask, path, patience, cancel);
        }
        catch (Exception e) when (e is SocketException { SocketErrorCode: SocketError.ConnectionReset } or ObjectDisposedException)
        {
            throw new CommandFailedException("The driver has ended the connection: it has stopped, or is stopping.", e);
        }
    }

    private static async Task<T> WithinAsync<T>(Func<CancellationToken, Task<T>> act, string path, TimeSpan patience, CancellationToken cancel)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limited.CancelAfter(patience);
        try
        {
            return await act(limited.Token);
        }
        catch (OperationCanceledException e) when (!cancel.IsCancellationRequested)
        {
            throw new CommandFailedException($"The driver at '{path}' has not answered within {Duration.Format(patience)}: it is suspended, or has too much to do; "
                + "look at its log, and let it go on (kill -CONT) or start it again.", e);
        }
    }
}
