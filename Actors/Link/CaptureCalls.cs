using System.Net.Sockets;
using Akka.Actor;
using Akka.Event;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Wires.Capture;

namespace Tapwire.Actors.Link;

/// <summary>Requests to capture packets, which are for operators only: packets have what everybody's programs say.</summary>
internal static class CaptureCalls
{
    private const string NotPermitted = "Only the driver's own user and root may capture its packets.";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Asks the driver, and answers the session.</summary>
    /// <param name="isOperator">The peer may capture.</param>
    /// <param name="link">The context of the link's actor.</param>
    public static void Ask(LinkCall call, bool isOperator, RefusalLog refusals, ILoggingAdapter log, IActorContext link, IActorRef session)
    {
        var (request, peer) = ((CaptureRequest)call.Request, call.Peer);
        if (!isOperator)
        {
            request.Output?.Dispose();
            refusals.Warn(log, "Refused a {Request} of link client of user id {UserId}, process id {ProcessId}: not the driver's user", request.Type, peer.UserId, peer.ProcessId);
            session.Tell(new LinkReply(request.Refused(LinkErrno.NotPermitted, NotPermitted)));
            return;
        }

        if (Problem(request) is { } problem)
        {
            request.Output?.Dispose();
            Refuse(problem);
            return;
        }

        if (StreamOf(request.Output!) is not { } stream)
        {
            Refuse("The descriptor of a capture is no stream socket.");
            return;
        }

        var options = new CaptureOptions { Interface = request.Interface, Host = request.Host, Port = request.Port, SnapLength = request.SnapLength, Count = request.Count, Outer = request.Outer };
        link.Parent.Ask<CaptureAnswer>(new StartCapture(options, stream, $"process id {peer.ProcessId}") { HasReader = true }, Patience).PipeTo(session, link.Self,
            answer => new LinkReply(answer.Error == 0 ? request.Done() : request.Refused(answer.Error, answer.Reason)),
            _ => new LinkReply(request.Failed(StackError.TimedOut)));

        void Refuse(string reason) => session.Tell(new LinkReply(request.Refused((int)StackError.InvalidArgument, reason)));
    }

    private static string? Problem(CaptureRequest request) => request switch
    {
        { Output: null } => "No descriptor has come with the request; a capture needs a stream socket.",
        { SnapLength: < CaptureOptions.MinSnapLength or > CaptureOptions.MaxSnapLength } => $"The bytes recorded of a packet are {CaptureOptions.MinSnapLength} to {CaptureOptions.MaxSnapLength}, not {request.SnapLength}.",
        _ => null,
    };

    /// <returns>Null: it is no stream socket, and has been closed.</returns>
    private static NetworkStream? StreamOf(PassedDescriptor output)
    {
        var handle = new SafeSocketHandle(output.Take(), ownsHandle: true);
        try
        {
            return new NetworkStream(new Socket(handle), ownsSocket: true);
        }
        catch (Exception e) when (e is SocketException or IOException or ArgumentException)
        {
            handle.Dispose();
            return null;
        }
    }
}
