using System.Net;
using System.Net.Sockets;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Links.Client;

/// <summary>Connects to one of a host's addresses, whichever answers first (RFC 8305).</summary>
internal sealed class ConnectionRace(Func<IPEndPoint, CancellationToken, Task<TapwireStream>> connect, IReadOnlyList<IPAddress> addresses, int port, TimeProvider clock)
{
    private readonly AddressRace _race = new([.. addresses.Select(IpAddress.FromSystem)]);
    private readonly Dictionary<Task<TapwireStream>, IpAddress> _running = [];
    private readonly Dictionary<IpAddress, SocketException> _failures = [];

    /// <exception cref="SocketException">No address can be reached: why the first one cannot.</exception>
    public async Task<TapwireStream> RunAsync(CancellationToken cancellationToken)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            while (true)
            {
                if (_race.HasNext)
                    Start(_race.Next(), over.Token);
                var pause = Task.Delay(_race.HasNext ? AddressRace.AttemptDelay : Timeout.InfiniteTimeSpan, clock, over.Token);
                await Task.WhenAny([.. _running.Keys, pause]).ConfigureAwait(false);
                cancellationToken.ThrowIfCancellationRequested();
                if (await TakeWinnerAsync().ConfigureAwait(false) is { } stream)
                    return stream;
                if (_race.IsLost)
                    throw _failures[_race.FailedAddress];
            }
        }
        finally
        {
            await over.CancelAsync().ConfigureAwait(false);
            // An attempt that has won all the same is given up.
            foreach (var attempt in _running.Keys)
                _ = attempt.ContinueWith(static late => late.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
        }
    }

    private void Start(IpAddress address, CancellationToken over) =>
        _running.Add(connect(new IPEndPoint(address.ToSystem(), port), over), address);

    private async Task<TapwireStream?> TakeWinnerAsync()
    {
        foreach (var (attempt, address) in _running.Where(static each => each.Key.IsCompleted).ToList())
        {
            _running.Remove(attempt);
            try
            {
                return await attempt.ConfigureAwait(false);
            }
            catch (SocketException e)
            {
                _failures[address] = e;
                _race.Failed(address, (StackError)e.NativeErrorCode);
            }
        }

        return null;
    }
}
