using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Tapwire.Stack.Ip;
using Tapwire.Wires.WireGuard.Crypto;

namespace Tapwire.Wires.WireGuard;

/// <summary>An answer for a peer whose endpoint is a name.</summary>
/// <param name="Addresses">In the order in which they are to be tried; empty: the look-up has failed.</param>
internal readonly record struct ResolvedEndpoint(PublicKey Peer, string Name, ushort Port, IReadOnlyList<IpAddress> Addresses, string Problem);

/// <summary>Looks names up: the host's resolver, or that of a spec.</summary>
/// <exception cref="SocketException">There is no such name, or no answer.</exception>
internal delegate Task<IReadOnlyList<IpAddress>> NameLookup(string host, CancellationToken cancel);

/// <summary>
/// Looks up the endpoints that the configuration has by name, on the host's network and outside the driver's thread; the owner takes the answers. A look-up that has failed is repeated, with growing
/// pauses. A peer has at most one look-up under way.
/// </summary>
/// <param name="answered">Called on any thread when there is an answer.</param>
internal sealed class EndpointResolver(NameLookup lookup, TimeProvider clock, Action answered) : IDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    private readonly ConcurrentQueue<ResolvedEndpoint> _answers = new();
    private readonly ConcurrentDictionary<PublicKey, Question> _underWay = new();
    private readonly CancellationTokenSource _ending = new();

    /// <summary>The host's own resolver, as getaddrinfo(3).</summary>
    public static async Task<IReadOnlyList<IpAddress>> HostLookup(string host, CancellationToken cancel)
    {
        var addresses = await Dns.GetHostAddressesAsync(host, cancel).ConfigureAwait(false);
        return [.. addresses.Where(static each => each.AddressFamily is AddressFamily.InterNetwork or AddressFamily.InterNetworkV6).Select(IpAddress.FromSystem)];
    }

    /// <param name="name">HOST:PORT.</param>
    public void Begin(PublicKey peer, string name)
    {
        var question = new Question(peer, name);
        if (_underWay.TryAdd(peer, question))
            _ = AskAsync(question);
    }

    public bool TryTake(out ResolvedEndpoint answer) => _answers.TryDequeue(out answer);

    public void Dispose()
    {
        _ending.Cancel();
        foreach (var question in _underWay.Values)
            question.Timer?.Dispose();
        _ending.Dispose();
    }

    private async Task AskAsync(Question question)
    {
        var cancel = _ending.Token;
        IReadOnlyList<IpAddress> addresses = [];
        var problem = "it has no address";
        try
        {
            addresses = await lookup(question.Host, cancel).ConfigureAwait(false);
        }
        catch (SocketException e)
        {
            problem = e.SocketErrorCode == SocketError.HostNotFound ? "there is no such name" : "no name server answers";
        }
        catch (OperationCanceledException)
        {
            return;
        }

        if (cancel.IsCancellationRequested)
            return;
        if (addresses.Count > 0)
            _underWay.TryRemove(question.Peer, out _);
        else
            Repeat(question);
        _answers.Enqueue(new ResolvedEndpoint(question.Peer, question.Name, question.Port, addresses, problem));
        answered();
    }

    private void Repeat(Question question)
    {
        question.Timer?.Dispose();
        question.Timer = clock.CreateTimer(_ =>
        {
            if (!_ending.IsCancellationRequested)
                _ = AskAsync(question);
        }, null, question.Pause, Timeout.InfiniteTimeSpan);
        question.Pause = TimeSpan.FromTicks(Math.Min(2 * question.Pause.Ticks, LongestPause.Ticks));
    }

    private sealed class Question(PublicKey peer, string name)
    {
        private readonly int _colon = name.LastIndexOf(':');

        public PublicKey Peer => peer;

        public string Name => name;

        public string Host => name[.._colon];

        public ushort Port => ushort.Parse(name.AsSpan(_colon + 1), CultureInfo.InvariantCulture);

        public TimeSpan Pause { get; set; } = FirstPause;

        public ITimer? Timer { get; set; }
    }
}
