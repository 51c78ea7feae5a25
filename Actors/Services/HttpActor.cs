using System.Globalization;
using System.Text;
using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Services;

/// <summary>
/// The http service: answers GET and HEAD with a plain page about the driver (HTTP/1.1, RFC 9112; HTTP/1.0 too). The size of a request is bounded. Connections
/// persist as the version and the Connection field say.
/// </summary>
public sealed class HttpActor(IActorRef stack, BufferPool pool) : StreamServiceActor(stack)
{
    /// <summary>Bytes of one request's head; a longer one is answered with 431.</summary>
    internal const int MaxHead = 8192;

    private readonly Queue<PacketBuffer> _answers = new(0);
    private IpEndpoint _remote;

    // The head of the request that is being received; null while nothing of one is there.
    private PacketBuffer? _headBuffer;

    // Bytes received and not parsed yet. They keep the receive window closed.
    private PacketBuffer? _input;
    private PacketBuffer? _inputTail;
    private bool _endOfStream;
    private int _length;
    private int _waiting; // requests whose page the stack has been asked for
    private bool _last;

    private Span<byte> Head => (_headBuffer ??= NewHead()).Span;

    public static Props Props(IActorRef stack, BufferPool pool) => Akka.Actor.Props.Create(() => new HttpActor(stack, pool));

    protected override void OnAccepted(Accepted accepted) => _remote = accepted.Remote;

    protected override void OnOther(object message)
    {
        if (message is not PageReady page)
        {
            base.OnOther(message);
            return;
        }

        _waiting--;
        Answer("200 OK", page.Text, page.HeadOnly);
        Next();
    }

    protected override void OnRead(ReadReady ready)
    {
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

    protected override void OnRoom() => Next();

    protected override bool TryForget()
    {
        PacketBuffer.ReleaseChain(_input);
        _input = _inputTail = null;
        LeaveHead();
        while (_answers.TryDequeue(out var answer))
            answer.Release();
        _length = 0;
        _endOfStream = _last = false;
        return _waiting == 0;
    }

    /// <summary>Handles the requests that are there in full. Each is answered before the next is looked at, so that answers keep the order of the requests.</summary>
    private void Next()
    {
        SendAnswers();
        while (_waiting == 0 && !_last && _answers.Count == 0)
        {
            Fill();
            var end = _length == 0 ? -1 : Head[.._length].IndexOf("\r\n\r\n"u8);
            if (end >= 0)
            {
                var head = Encoding.Latin1.GetString(Head[..end]);
                Head[(end + 4).._length].CopyTo(Head);
                _length -= end + 4;
                Handle(head);
            }
            else if (_length == MaxHead)
            {
                _last = true;
                Answer("431 Request Header Fields Too Large", "The request is too long.\n", headOnly: false);
            }
            else if (_endOfStream)
            {
                _last = true;
            }
            else
            {
                break;
            }

            SendAnswers();
        }

        if (_length == 0)
            LeaveHead();
        if (!_last)
            return;
        Fill();
        if (_waiting == 0 && _answers.Count == 0)
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

    private void SendAnswers()
    {
        while (_answers.TryPeek(out var answer) && answer.Length <= Room)
            Send(_answers.Dequeue());
    }

    private void Handle(string head)
    {
        // An empty line before the request is ignored (RFC 9112, 2.2).
        var lines = head.TrimStart('\r', '\n').Split("\r\n");
        var request = lines[0].Split(' ');
        if (request is not [var method, var target, "HTTP/1.1" or "HTTP/1.0"])
        {
            _last = true;
            Answer("400 Bad Request", "That is not an HTTP/1.x request.\n", headOnly: false);
            return;
        }

        var connection = lines.Skip(1).FirstOrDefault(line => line.StartsWith("Connection:", StringComparison.OrdinalIgnoreCase)) ?? "";
        _last = connection.Contains("close", StringComparison.OrdinalIgnoreCase)
            || (request[2] == "HTTP/1.0" && !connection.Contains("keep-alive", StringComparison.OrdinalIgnoreCase));
        switch (method)
        {
            case "GET" or "HEAD" when target == "/":
                _waiting++;
                AskForPage(method == "HEAD");
                break;
            case "GET" or "HEAD":
                Answer("404 Not Found", $"There is no {target} here, only /.\n", method == "HEAD");
                break;
            default:
                _last = true; // its body, if it has one, is not read
                Answer("405 Method Not Allowed", "Only GET and HEAD.\n", headOnly: false, "Allow: GET, HEAD\r\n");
                break;
        }
    }

    /// <summary>Asks the stack for its status. The page is written on another thread and must not touch the actor's fields.</summary>
    private void AskForPage(bool headOnly)
    {
        var remote = _remote;
        Stack.Ask<StackStatus>(GetStatus.Instance, TimeSpan.FromSeconds(5)).PipeTo(Self, ActorRefs.NoSender,
            status => new PageReady(Page(status, remote), headOnly),
            cause => new PageReady($"tapwire\nThe stack does not answer: {cause.Message}\n", headOnly));
    }

    private static string Page(StackStatus status, IpEndpoint remote)
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

    /// <param name="fields">Further header fields, each with its line end.</param>
    private void Answer(string status, string body, bool headOnly, string fields = "")
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        var head = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {bytes.Length}\r\n{fields}Connection: {(_last ? "close" : "keep-alive")}\r\n\r\n"));
        var length = head.Length + (headOnly ? 0 : bytes.Length);
        var buffer = pool.Rent(length);
        head.CopyTo(buffer.Append(head.Length));
        if (!headOnly)
            bytes.CopyTo(buffer.Append(bytes.Length));
        _answers.Enqueue(buffer);
    }

    private sealed record PageReady(string Text, bool HeadOnly);
}
