using System.CommandLine;
using System.Net.Sockets;
using Tapwire.Actors.Settings;
using Tapwire.Links;
using Tapwire.Links.Client;

namespace Tapwire.Host.Commands;

/// <summary>How commands find the running driver, and how long they wait for it.</summary>
internal static class LinkOption
{
    /// <summary>The time-out for requests that a healthy driver answers at once.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static readonly Flag<string?> Path = Flags.Socket("--link", "The running driver's socket; your own driver's when not given, or else the system's.");

    /// <summary>The socket's path from the command line, else the default one.</summary>
    public static string PathOf(ParseResult parsed) => parsed.Read(Path) is { Length: > 0 } given ? System.IO.Path.GetFullPath(given) : LinkEndpointPath.Find();

    /// <exception cref="CommandFailedException">No driver can be reached at the path; the message says why.</exception>
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

    /// <summary>Sends a request to the driver and waits for the answer, up to the time-out.</summary>
    /// <exception cref="CommandFailedException">The driver has not answered in time, or has gone.</exception>
    /// <exception cref="SocketException">The driver has answered with an error.</exception>
    public static async Task<T> AskAsync<T>(Func<CancellationToken, Task<T>> ask, string path, TimeSpan patience, CancellationToken cancel)
    {
        try
        {
            return await WithinAsync(ask, path, patience, cancel);
        }
        catch (Exception e) when (e is SocketException { SocketErrorCode: SocketError.ConnectionReset or SocketError.NetworkDown } or ObjectDisposedException)
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
