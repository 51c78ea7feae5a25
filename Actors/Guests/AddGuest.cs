using Akka.Actor;
using Tapwire.Links.Protocol;
using Tapwire.Stack.Forwarding;
using Tapwire.Wires;

namespace Tapwire.Actors.Guests;

/// <summary>
/// LinkActor, or who runs the driver, → GuestsActor: from now on serve the host at the other end of that wire. Answered by <see cref="GuestAnswer"/>. The message owns the wire.
/// </summary>
/// <param name="Wire">A raw IP wire.</param>
/// <param name="Addresses">The host's.</param>
/// <param name="Lifeline">The guest ends when this actor does; Nobody: it ends with its wire, or with the driver.</param>
/// <param name="Process">The id of the process that has asked for it, for the status.</param>
public sealed record AddGuest(IWire Wire, GuestAddresses Addresses, IActorRef Lifeline, int Process)
{
    /// <summary>Closes the wire, when there will be no guest.</summary>
    internal GuestAnswer Refuse(int errno, string reason)
    {
        Wire.Dispose();
        return new GuestAnswer(errno, reason);
    }
}

/// <summary>GuestsActor → who asked: the guest is served, or not.</summary>
/// <param name="Error">0, or a Linux errno.</param>
/// <param name="Reason">The reason of a refusal, in a sentence.</param>
public sealed record GuestAnswer(int Error, string Reason)
{
    internal static readonly GuestAnswer Done = new(0, "");
}

/// <summary>A guest's wire → GuestActor: it has failed, and is not opened again.</summary>
internal sealed class GuestWireGone : Akka.Event.IDeadLetterSuppression
{
    public static readonly GuestWireGone Instance = new();

    private GuestWireGone()
    {
    }
}
