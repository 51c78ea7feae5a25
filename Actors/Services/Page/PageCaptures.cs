using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Wires.Capture;

namespace Tapwire.Actors.Services.Page;

/// <summary>
/// The capture of packets that the live page begins, ends and gives out: one at a time, in memory, without the packets of the client that has begun it. Used by the page's actor only, which has seen the client's token.
/// </summary>
/// <param name="owner">The context of the page's actor, a child of the driver's.</param>
/// <param name="timed">The page's actor.</param>
internal sealed class PageCaptures(IActorContext owner, IWithTimers timed, PageContext context) : IDisposable
{
    public const string StartPath = "/capture/start";
    public const string StopPath = "/capture/stop";
    public const string DiscardPath = "/capture/discard";

    /// <summary>A capture that nobody ends ends after this time.</summary>
    internal static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly IActorRef _self = owner.Self;
    private PageCapture? _capture;
    private CaptureOptions _options = new();
    private string _name = "";
    private long _began;

    /// <returns>Null: the answer comes later, by <see cref="Begun"/>.</returns>
    public PageAnswer? Handle(PageRequest request, IActorRef asker)
    {
        switch (request.Path)
        {
            case StartPath:
                return Start(request, asker);
            case PageActor.CapturePath:
                return State();
            case PageActor.CaptureFilePath when _capture is { } capture:
                return new PageAnswer("200 OK", "application/vnd.tcpdump.pcap", capture.Content())
                {
                    Fields = $"{PageFiles.Unstored}Content-Disposition: attachment; filename=\"tapwire.pcapng\"\r\n",
                };
            case StopPath when _capture is { } capture:
                capture.Stop();
                return State();
            case DiscardPath when _capture is { HasEnded: true }:
                _capture = null;
                return State();
            case DiscardPath when _capture is not null:
                return PageActor.Plain("409 Conflict", "The capture is running; stop it first.\n");
            default:
                return PageActor.Plain("404 Not Found", "There is no capture.\n");
        }
    }

    /// <summary>The driver has answered whether the capture has begun.</summary>
    public PageAnswer Take(Begun begun)
    {
        if (begun.Answer.Error == 0)
            return State();
        begun.Capture.Dispose();
        if (_capture == begun.Capture)
            _capture = null;
        return PageActor.Plain("409 Conflict", $"{begun.Answer.Reason}\n");
    }

    /// <summary>A capture has run for as long as it may.</summary>
    public void Stop(TooLong tooLong) => tooLong.Capture.Stop();

    public void Dispose() => _capture?.Stop();

    private PageAnswer? Start(PageRequest request, IActorRef asker)
    {
        if (_capture is { HasEnded: false })
            return PageActor.Plain("409 Conflict", "A capture is running; stop it first.\n");
        if (Read(request, out var options) is { } problem)
            return PageActor.Plain("400 Bad Request", $"{problem}\n");
        var capture = new PageCapture(context.CaptureMemory);
        (_capture, _options, _name, _began) = (capture, options, $"the page of {request.Remote}", context.Clock.GetTimestamp());
        // It replaces that of the capture before.
        timed.Timers.StartSingleTimer(nameof(TooLong), new TooLong(capture), Longest);
        owner.Parent.Ask<CaptureAnswer>(new StartCapture(options, capture, _name) { HasReader = true }, Patience).PipeTo(_self, _self,
            answer => new Begun(capture, answer, asker), _ => new Begun(capture, new CaptureAnswer((int)StackError.TimedOut, "The driver does not answer."), asker));
        return null;
    }

    /// <returns>Null, or what is wrong with the request.</returns>
    private static string? Read(PageRequest request, out CaptureOptions options)
    {
        options = new CaptureOptions { Interface = PageQuery.Of(request.Query, "interface") ?? "", Except = new IpEndpoint(request.Remote.Address, request.Local.Port) };
        if (PageQuery.Of(request.Query, "host") is { Length: > 0 } host)
        {
            if (!IpAddress.TryParse(host, null, out var address))
                return "The host is no address, as in 10.99.0.1 or fd00::1.";
            options = options with { Host = address };
        }

        if (PageQuery.Of(request.Query, "port") is { Length: > 0 } text)
        {
            if (!ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port == 0)
                return "The port is none of 1 to 65535.";
            options = options with { Port = port };
        }

        return null;
    }

    private PageAnswer State()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("state", _capture is null ? "none" : _capture.HasEnded ? "ended" : "running");
            if (_capture is { } capture)
            {
                json.WriteString("name", _name);
                json.WriteString("interface", _options.Interface);
                json.WriteString("host", _options.Host?.ToString() ?? "");
                json.WriteNumber("port", _options.Port);
                json.WriteNumber("bytes", capture.Length);
                json.WriteNumber("limit", capture.Limit);
                json.WriteBoolean("full", capture.IsFull);
                json.WriteNumber("ageSeconds", Math.Round(context.Clock.GetElapsedTime(_began).TotalSeconds, 1));
            }

            json.WriteEndObject();
        }

        return PageActor.Json(buffer.WrittenMemory.ToArray());
    }

    /// <summary>The driver's answer to the capture's start, to the page's actor.</summary>
    internal sealed record Begun(PageCapture Capture, CaptureAnswer Answer, IActorRef Asker);

    /// <summary>To the page's actor: the capture has run for <see cref="Longest"/>.</summary>
    internal sealed record TooLong(PageCapture Capture) : IDeadLetterSuppression;
}
