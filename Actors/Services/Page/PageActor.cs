using System.Globalization;
using System.Text;
using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Link;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Wires;

namespace Tapwire.Actors.Services.Page;

/// <summary>What the page's actor works with.</summary>
/// <param name="Link">The actor that knows whose the applications' sockets are; nobody: the driver has no link, and no applications.</param>
/// <param name="Sockets">One for each shard.</param>
/// <param name="Token">Null: nobody is shown more than the public figures.</param>
/// <param name="CaptureMemory">Bytes that the page's capture may hold.</param>
internal sealed record PageContext(IActorRef Link, IReadOnlyList<SocketContext> Sockets, PageToken? Token, int CaptureMemory, TimeProvider Clock);

/// <summary>
/// The figures of the live page, and its capture. However many look at the page, the driver is asked for its status once in <see cref="Fresh"/>. Without the token a client gets the public figures: addresses of the driver's own,
/// wires, counters; with it everything that <c>tapwire status</c> shows, and the capture.
/// </summary>
/// <remarks>
/// The token comes in a header field (Authorization), which a browser sends to nobody by itself, and which no other site can have it send: the answer to a preflight is 405.
/// </remarks>
internal sealed class PageActor : ReceiveActor, IWithTimers
{
    public const string StatusPath = "/status.json";
    public const string SocketsPath = "/sockets.json";
    public const string CapturePath = "/capture.json";
    public const string CaptureFilePath = "/capture.pcapng";

    /// <summary>A status that is no older is given to the next one who asks, too.</summary>
    internal static readonly TimeSpan Fresh = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>The answer to a request that no actor can handle any more.</summary>
    public static readonly PageAnswer Gone = Plain("503 Service Unavailable", "The driver is stopping.\n");

    private static readonly PageAnswer NotAnswering = Plain("503 Service Unavailable", "The driver does not answer.\n");

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly RefusalLog _refusals = new(Context.System.Scheduler);
    private readonly PageContext _context;
    private readonly PageCaptures _captures;
    private readonly List<(IActorRef Asker, bool IsFull)> _waiting = [];
    private DriverStatus? _latest;
    private long _latestAt;
    private ReadOnlyMemory<byte>? _public;
    private ReadOnlyMemory<byte>? _full;

    public PageActor(PageContext context)
    {
        _context = context;
        _captures = new PageCaptures(Context, this, context);
        Receive<PageRequest>(Answer);
        Receive<Looked>(looked => Take(looked.Status));
        // A driver without a link has nobody who lists sockets: this actor does.
        Receive<LinkCall>(call => SocketCalls.Ask((ListSocketsRequest)call.Request, _context.Sockets, Sender, Self));
        Receive<SocketCalls.Found>(static found => found.Answer(new ApplicationSockets()));
        Receive<PageCaptures.Begun>(begun => begun.Asker.Tell(_captures.Take(begun)));
        Receive<PageCaptures.TooLong>(tooLong => _captures.Stop(tooLong));
        Receive<Stopping>(_ => Context.Stop(Self));
    }

    public static Props Props(PageContext context) => Akka.Actor.Props.Create(() => new PageActor(context));

    /// <summary>A path that is asked for by GET.</summary>
    public static bool IsFigure(string path) => path is StatusPath or SocketsPath or CapturePath or CaptureFilePath;

    /// <summary>A path that is asked for by POST, since it changes something.</summary>
    public static bool IsAction(string path) => path is PageCaptures.StartPath or PageCaptures.StopPath or PageCaptures.DiscardPath;

    public static PageAnswer Plain(string status, string text) => new(status, "text/plain; charset=utf-8", [Encoding.UTF8.GetBytes(text)]) { Fields = PageFiles.Unstored };

    public static PageAnswer Json(ReadOnlyMemory<byte> json) => new("200 OK", "application/json", [json]) { Fields = PageFiles.Unstored };

    public ITimerScheduler Timers { get; set; } = null!;

    protected override void PostStop() => _captures.Dispose();

    /// <summary>Answers also when handling the request throws: a connection waits for an answer.</summary>
    private void Answer(PageRequest request)
    {
        try
        {
            if (Refusal(request) is { } refusal)
                Sender.Tell(refusal);
            else
                Handle(request);
        }
        catch (Exception)
        {
            Sender.Tell(Plain("500 Internal Server Error", "The driver has failed on this request.\n"));
            throw;
        }
    }

    /// <returns>Null: the client may have what it asks for.</returns>
    private PageAnswer? Refusal(PageRequest request)
    {
        if (request.Token.Length == 0)
        {
            return request.Path == StatusPath ? null
                : Plain("401 Unauthorized", "This needs the driver's token.\n") with { Fields = Challenge };
        }

        if (_context.Token is not { } token)
            return Plain("403 Forbidden", "This driver has no token for its page; --http-token (tapwire.http.token-file) names the file of one.\n");
        if (token.Is(request.Token))
            return null;
        _refusals.Warn(_log, "Refused {Remote} on the page: its token is not the driver's", request.Remote);
        return Plain("401 Unauthorized", "That is not the driver's token.\n") with { Fields = Challenge };
    }

    private static string Challenge => $"WWW-Authenticate: Bearer realm=\"tapwire\"\r\n{PageFiles.Unstored}";

    private void Handle(PageRequest request)
    {
        switch (request.Path)
        {
            case StatusPath:
                AskForStatus(Sender, isFull: request.Token.Length > 0);
                break;
            case SocketsPath:
                AskForSockets(request, Sender);
                break;
            default:
                if (_captures.Handle(request, Sender) is { } answer)
                    Sender.Tell(answer);
                break;
        }
    }

    private void AskForStatus(IActorRef asker, bool isFull)
    {
        if (_latest is { } latest && _context.Clock.GetElapsedTime(_latestAt) <= Fresh)
        {
            asker.Tell(AnswerOf(latest, isFull));
            return;
        }

        _waiting.Add((asker, isFull));
        if (_waiting.Count == 1)
            Context.Parent.Ask<DriverStatus>(GetStatus.Figures, Patience).PipeTo(Self, Self, static status => new Looked(status), static _ => new Looked(null));
    }

    private void Take(DriverStatus? status)
    {
        (_latest, _latestAt, _public, _full) = (status, _context.Clock.GetTimestamp(), null, null);
        foreach (var (asker, isFull) in _waiting)
            asker.Tell(status is null ? NotAnswering : AnswerOf(status, isFull));
        _waiting.Clear();
    }

    private PageAnswer AnswerOf(DriverStatus status, bool isFull) => Json(isFull ? _full ??= Written(status) : _public ??= Written(Public(status)));

    private static ReadOnlyMemory<byte> Written(DriverStatus status) => Encoding.UTF8.GetBytes(StatusJson.Write(status));

    /// <summary>What anybody may see who reaches the page: no address, key, name or process of somebody else.</summary>
    internal static DriverStatus Public(DriverStatus status) => status with
    {
        Interfaces = [.. status.Interfaces.Select(static each => each with
        {
            Wire = each.Wire with { Peers = [], HardwareAddress = "" },
            Routes = [],
            Neighbors = [],
            Lease = null,
            Lease6 = null,
            Served = null,
        })],
        Ports = [],
        Guests = [],
        Captures = [],
        FullListeners = [],
        Process = 0,
        Names = null,
    };

    private void AskForSockets(PageRequest request, IActorRef asker)
    {
        if (!ulong.TryParse(PageQuery.Of(request.Query, "from") ?? "0", NumberStyles.None, CultureInfo.InvariantCulture, out var cursor))
        {
            asker.Tell(Plain("400 Bad Request", "\"from\" is \"next\" of the answer before.\n"));
            return;
        }

        var lister = _context.Link.IsNobody() ? Self : _context.Link;
        lister.Ask<LinkReply>(new LinkCall(new ListSocketsRequest(1, new SocketFilter(), cursor, ListSocketsRequest.MostSockets)), Patience).PipeTo(asker, Self,
            static reply => reply.Answer.Error == 0 ? Json(reply.Answer.Body) : NotAnswering, static _ => NotAnswering);
    }

    /// <param name="Status">Null: the driver has not answered.</param>
    private sealed record Looked(DriverStatus? Status);
}

/// <summary>The part of an address behind its question mark.</summary>
internal static class PageQuery
{
    /// <returns>Null: there is no such name; empty: it has no value.</returns>
    public static string? Of(string query, string name)
    {
        foreach (var part in query.Split('&'))
        {
            var (key, value) = part.IndexOf('=', StringComparison.Ordinal) is >= 0 and var at ? (part[..at], part[(at + 1)..]) : (part, "");
            if (key == name)
                return Uri.UnescapeDataString(value.Replace('+', ' '));
        }

        return null;
    }
}
