using System.Globalization;
using System.Text;
using Akka.Actor;
using Tapwire.Actors.Services.Page;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Services;

/// <summary>
/// The http service (HTTP/1.1, RFC 9112; HTTP/1.0 too): a plain page about the driver for curl, and the live page for browsers, whose figures come from the <see cref="PageActor"/>. The size of a
/// request is bounded, and the time that it takes. Connections persist as the version and the Connection field say.
/// </summary>
internal sealed class HttpActor(IActorRef stack, BufferPool pool, HttpService service) : StreamServiceActor(stack), IWithTimers
{
    /// <summary>Bytes of one request's head; a longer one is answered with 431.</summary>
    internal const int MaxHead = 8192;

    /// <summary>How often a connection is looked at whether it moves.</summary>
    internal static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(15);

    /// <summary>Looks after which a request that is not complete is answered with 408.</summary>
    internal const int HeadLooks = 2;

    /// <summary>Looks without a byte in either direction after which the connection ends.</summary>
    internal const int IdleLooks = 4;

    /// <summary>Bytes of an answer in one buffer at most.</summary>
    private const int Piece = 32 << 10;

    /// <summary>Less room than this is not worth a buffer, unless the answer ends with it.</summary>
    private const int LeastPiece = 2048;

    private IpEndpoint _local;
    private IpEndpoint _remote;

    // The head of the request that is being received; null while nothing of one is there.
    private PacketBuffer? _headBuffer;

    // Bytes received and not parsed yet. They keep the receive window closed.
    private PacketBuffer? _input;
    private PacketBuffer? _inputTail;
    private bool _endOfStream;
    private int _length;
    private int _waiting; // requests whose answer somebody has been asked for
    private bool _headOnly;
    private bool _last;
    private bool _hasEntered;
    private int _idleLooks;
    private int _headLooks;

    // The answer that is being sent, the part of it that is next, and how much of that has gone; null: none.
    private IReadOnlyList<ReadOnlyMemory<byte>>? _answer;
    private int _part;
    private int _sent;

    /// <summary>Akka.NET's to set.</summary>
    public ITimerScheduler Timers { get; set; } = null!;

    private Span<byte> Head => (_headBuffer ??= NewHead()).Span;

    public static Props Props(IActorRef stack, BufferPool pool, HttpService service) => Akka.Actor.Props.Create(() => new HttpActor(stack, pool, service));

    protected override void OnAccepted(Accepted accepted)
    {
        (_local, _remote) = (accepted.Local, accepted.Remote);
        Timers.StartPeriodicTimer(nameof(Look), Look.Instance, LookEvery);
        _hasEntered = service.TryEnter();
        if (_hasEntered)
            return;
        _last = true;
        Answer("503 Service Unavailable", $"There are {HttpService.MaxConnections} connections already.\n");
    }

    protected override void OnOther(object message)
    {
        switch (message)
        {
            case PageReady page:
                _waiting--;
                Answer("200 OK", page.Text, "Vary: Accept\r\n");
                Next();
                break;
            case PageAnswer answer:
                _waiting--;
                Answer(answer.Status, answer.ContentType, answer.Body, answer.Fields);
                Next();
                break;
            case Look:
                LookAtIt();
                break;
            default:
                base.OnOther(message);
                break;
        }
    }

    protected override void OnRead(ReadReady ready)
    {
        _idleLooks = 0;
        for (var buffer = ready.Chain; buffer is not null; buffer = buffer.Next)
        {
            if (_inputTail is null)
                _input = buffer;
            else
                _inputTail.Next = buffer;
            _inputTail = buffer;
        }

        _endOfStream |= ready.EndOfStream;
        Next();
    }

    protected override void OnRoom()
    {
        _idleLooks = 0;
        Next();
    }

    protected override bool TryForget()
    {
        Timers.CancelAll();
        if (_hasEntered)
            service.Leave();
        _hasEntered = false;
        PacketBuffer.ReleaseChain(_input);
        _input = _inputTail = null;
        LeaveHead();
        _answer = null;
        _length = _idleLooks = _headLooks = 0;
        _endOfStream = _last = _headOnly = false;
        return _waiting == 0;
    }

    /// <summary>Ends a connection whose client keeps it and does nothing: each has a socket and memory.</summary>
    private void LookAtIt()
    {
        if (_waiting > 0)
            return;
        _headLooks = _length > 0 && _answer is null ? _headLooks + 1 : 0;
        if (++_idleLooks >= IdleLooks)
        {
            // A client that does not take its answer, or has not closed after the last one, is given up.
            _idleLooks = 0;
            if (_answer is not null || _last)
                AbortConnection();
            else
                CloseConnection();
            _last = true;
        }
        else if (_headLooks >= HeadLooks && !_last)
        {
            _last = true;
            Answer("408 Request Timeout", "The request has taken too long.\n");
            Next();
        }
    }

    /// <summary>Handles the requests that are there in full. Each is answered before the next is looked at, so that answers keep the order of the requests.</summary>
    private void Next()
    {
        SendAnswer();
        while (_waiting == 0 && !_last && _answer is null)
        {
            Fill();
            var end = _length == 0 ? -1 : Head[.._length].IndexOf("\r\n\r\n"u8);
            if (end >= 0)
            {
                var head = Encoding.Latin1.GetString(Head[..end]);
                Head[(end + 4).._length].CopyTo(Head);
                _length -= end + 4;
                _headLooks = 0;
                Handle(head);
            }
            else if (_length == MaxHead)
            {
                _last = true;
                Answer("431 Request Header Fields Too Large", "The request is too long.\n");
            }
            else if (_endOfStream)
            {
                _last = true;
            }
            else
            {
                break;
            }

            SendAnswer();
        }

        if (_length == 0)
            LeaveHead();
        if (!_last)
            return;
        Fill();
        if (_waiting == 0 && _answer is null)
            Finish();
    }

    private PacketBuffer NewHead()
    {
        var buffer = pool.Rent(MaxHead);
        buffer.Append(MaxHead);
        return buffer;
    }

    private void LeaveHead()
    {
        _headBuffer?.Release();
        _headBuffer = null;
    }

    /// <summary>Moves received bytes to the head, as far as they fit. After the last request it discards them.</summary>
    private void Fill()
    {
        var taken = 0;
        while (_input is { } buffer && (_last || _length < MaxHead))
        {
            var count = buffer.Length;
            if (!_last)
            {
                count = Math.Min(count, MaxHead - _length);
                buffer.Span[..count].CopyTo(Head[_length..]);
                _length += count;
            }

            taken += count;
            buffer.TrimStart(count);
            if (buffer.Length > 0)
                break;
            _input = buffer.Next;
            if (_input is null)
                _inputTail = null;
            buffer.Next = null;
            buffer.Release();
        }

        Consumed(taken);
    }

    /// <summary>Sends as much of the answer as there is room for.</summary>
    private void SendAnswer()
    {
        while (_answer is { } answer)
        {
            long left = -_sent;
            for (var i = _part; i < answer.Count; i++)
                left += answer[i].Length;
            var count = (int)Math.Min(left, Math.Min(Room, Piece));
            if (count < Math.Min(left, LeastPiece))
                return;
            if (count > 0)
                Send(Copy(answer, count));
            if (count == left)
                _answer = null;
        }
    }

    private PacketBuffer Copy(IReadOnlyList<ReadOnlyMemory<byte>> answer, int count)
    {
        var buffer = pool.Rent(count);
        while (count > 0)
        {
            var part = answer[_part].Span[_sent..];
            var some = Math.Min(part.Length, count);
            part[..some].CopyTo(buffer.Append(some));
            count -= some;
            _sent += some;
            if (_sent < answer[_part].Length)
                continue;
            _part++;
            _sent = 0;
        }

        return buffer;
    }

    private void Handle(string head)
    {
        _headOnly = false;
        if (HttpRequest.Parse(head) is not { } request)
        {
            _last = true;
            Answer("400 Bad Request", "That is not an HTTP/1.x request.\n");
            return;
        }

        var isRead = request.Method is "GET" or "HEAD";
        _last = request.IsLast;
        _headOnly = request.Method == "HEAD";
        if (!isRead && !(request.Method == "POST" && PageActor.IsAction(request.Path)))
            Refuse("405 Method Not Allowed", "Only GET and HEAD.\n", "Allow: GET, HEAD\r\n");
        else if (request.HasBody)
            Refuse("413 Content Too Large", "A request has no body here.\n");
        else if (isRead && PageActor.IsAction(request.Path))
            Answer("405 Method Not Allowed", "Only POST.\n", "Allow: POST\r\n");
        else if (request.Path == "/" && !request.TakesHtml)
            AskForText();
        else if (PageFiles.Find(request.Path) is { } file)
            Answer("200 OK", file.ContentType, [file.Bytes], PageFiles.Fields);
        else if (PageActor.IsAction(request.Path) || PageActor.IsFigure(request.Path))
            AskForPage(request);
        else
            Answer("404 Not Found", $"There is no {request.Target} here, only /.\n");
    }

    /// <summary>Refuses a request whose body, if it has one, is not read.</summary>
    private void Refuse(string status, string body, string fields = "")
    {
        _last = true;
        Answer(status, body, fields);
    }

    private void AskForPage(HttpRequest request)
    {
        _waiting++;
        service.Page.Tell(new PageRequest(request.Path, request.Query, request.Token, _local, _remote));
    }

    /// <summary>Asks the stack for its status. The page is written on another thread and must not touch the actor's fields.</summary>
    private void AskForText()
    {
        _waiting++;
        var remote = _remote;
        Stack.Ask<StackStatus>(GetStatus.Figures, TimeSpan.FromSeconds(5)).PipeTo(Self, ActorRefs.NoSender,
            status => new PageReady(TextOf(status, remote)),
            cause => new PageReady($"tapwire\nThe stack does not answer: {cause.Message}\n"));
    }

    private static string TextOf(StackStatus status, IpEndpoint remote)
    {
        var text = new StringBuilder()
            .Append("tapwire\n\n")
            .Append(CultureInfo.InvariantCulture, $"you are      {remote}\n")
            .Append(CultureInfo.InvariantCulture, $"addresses    {string.Join(", ", status.Addresses())}\n")
            .Append(CultureInfo.InvariantCulture, $"up           {status.Uptime:d\\.hh\\:mm\\:ss}\n")
            .Append(CultureInfo.InvariantCulture, $"connections  {status.ConnectionCount}\n\n");
        foreach (var (name, value) in status.Counters)
            text.Append(CultureInfo.InvariantCulture, $"{name,-32} {value}\n");
        return text.ToString();
    }

    private void Answer(string status, string body, string fields = "") => Answer(status, "text/plain; charset=utf-8", [Encoding.UTF8.GetBytes(body)], fields);

    /// <param name="fields">Further header fields, each with its line end.</param>
    private void Answer(string status, string contentType, IReadOnlyList<ReadOnlyMemory<byte>> body, string fields)
    {
        var head = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"HTTP/1.1 {status}\r\nContent-Type: {contentType}\r\nContent-Length: {body.Sum(static part => (long)part.Length)}\r\n{fields}Connection: {(_last ? "close" : "keep-alive")}\r\n\r\n"));
        (_answer, _part, _sent) = (_headOnly ? [head] : [head, .. body], 0, 0);
        _headOnly = false;
    }

    private sealed record PageReady(string Text);

    /// <summary>A connection's own timer.</summary>
    private sealed class Look
    {
        public static readonly Look Instance = new();
    }
}
