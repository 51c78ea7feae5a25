using Akka.Actor;
using Akka.Event;
using Tapwire.Stack.Buffers;
using Tapwire.Wires.Capture;

namespace Tapwire.Messages;

/// <summary>
/// LinkActor, or who runs the driver, → DriverActor: capture packets. Answered by <see cref="CaptureAnswer"/>. The message owns the stream: it is the capture's from then on, or closed when there will be none.
/// </summary>
/// <param name="Output">Takes the capture in the format of pcapng.</param>
/// <param name="Name">What the log calls it.</param>
public sealed record StartCapture(CaptureOptions Options, Stream Output, string Name)
{
    /// <summary>The reader ends the capture by closing its end of <see cref="Output"/>, or its half of it, which then can be read, too.</summary>
    public bool HasReader { get; init; }

    /// <summary>Closes the stream, when there will be no capture.</summary>
    public CaptureAnswer Refuse(int errno, string reason)
    {
        Output.Dispose();
        return new CaptureAnswer(errno, reason);
    }
}

/// <summary>DriverActor → who asked: the capture has begun, or not.</summary>
/// <param name="Error">0, or a Linux errno.</param>
/// <param name="Reason">The reason of a refusal, in a sentence.</param>
public sealed record CaptureAnswer(int Error, string Reason)
{
    public static readonly CaptureAnswer Begun = new(0, "");
}

/// <summary>DriverActor → StackActor and TapActor: from now on give packets to that capture. Answered to the writer by <see cref="CaptureJoined"/>.</summary>
/// <param name="Writer">The actor that writes the capture.</param>
public sealed record JoinCapture(CaptureFeed Feed, IActorRef Writer);

/// <summary>StackActor or TapActor → CaptureActor: what it sees will come. No answer; later <see cref="LeaveCapture"/>.</summary>
public sealed class CaptureJoined
{
    public static readonly CaptureJoined Instance = new();

    private CaptureJoined()
    {
    }
}

/// <summary>StackActor or TapActor → CaptureActor: packets, as whole blocks of the file. No answer: the writer gives their memory back to the feed. The message owns the buffers.</summary>
/// <param name="First">A chain of buffers, each with a block.</param>
public sealed record CapturedPackets(CaptureFeed Feed, PacketBuffer First) : IOwnsBuffers, IDeadLetterSuppression
{
    public void Release()
    {
        for (var each = First; each is not null; each = each.Next)
            Feed.GiveBack(each.Capacity);
        PacketBuffer.ReleaseChain(First);
    }
}

/// <summary>CaptureActor → StackActor or TapActor: the capture ends. Answered by <see cref="CaptureLeft"/>, behind the last packets.</summary>
public sealed record LeaveCapture(CaptureFeed Feed);

/// <summary>StackActor or TapActor → CaptureActor: nothing more will come.</summary>
public sealed class CaptureLeft : IDeadLetterSuppression
{
    public static readonly CaptureLeft Instance = new();

    private CaptureLeft()
    {
    }
}
