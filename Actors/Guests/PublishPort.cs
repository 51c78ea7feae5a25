using Akka.Actor;
using Tapwire.Actors.Settings;
using Tapwire.Messages;

namespace Tapwire.Actors.Guests;

/// <summary>LinkActor, or who runs the driver, → GuestsActor → GuestActor: a port of the driver's leads to the guest from now on, until it ends. Answered by <see cref="GuestAnswer"/>.</summary>
/// <param name="Lifeline">The one that the guest was added with. Of several guests the last is meant.</param>
public sealed record PublishPort(PublishSpec Spec, IActorRef Lifeline);

/// <summary>The actor of a published TCP port → GuestActor: a connection has come.</summary>
internal sealed record PublishedAccept(Accepted Accepted, PublishSpec Spec);
