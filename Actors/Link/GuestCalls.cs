using Akka.Actor;
using Tapwire.Actors.Guests;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Wires;

namespace Tapwire.Actors.Link;

/// <summary>Requests to serve another network namespace, as guests of the driver. A guest gives a program no more than sockets do, so whoever may use the link may be one.</summary>
internal static class GuestCalls
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>The answer of a driver that stops to a request of any kind, whose descriptor is closed.</summary>
    public static LinkReply Refuse(LinkRequest request)
    {
        (request as AddGuestRequest)?.Device?.Dispose();
        return new LinkReply(request.Failed(StackError.ConnectionAborted));
    }

    /// <summary>Asks the actor that has the guests, and answers the session. The guest ends with the session.</summary>
    public static void Ask(AddGuestRequest request, IActorRef guests, IActorRef session, IActorRef self)
    {
        if (request.Device is not { } device || !request.Address.IsV4 || request.Mtu < InterfaceSettings.MinMtu)
        {
            request.Device?.Dispose();
            session.Tell(new LinkReply(request.Refused((int)StackError.InvalidArgument, "A guest needs a device, an IPv4 address, and an MTU of at least 68.")));
            return;
        }

        try
        {
            var wire = TapWire.Adopt(device.Take(), $"guest-{request.Address}", request.Mtu, TapWire.GuestOffloads);
            guests.Ask<GuestAnswer>(new AddGuest(wire, request.Address, session), Patience).PipeTo(session, self,
                answer => new LinkReply(answer.Error == 0 ? request.Done() : request.Refused(answer.Error, answer.Reason)),
                _ => new LinkReply(request.Failed(StackError.TimedOut)));
        }
        catch (WireException e)
        {
            session.Tell(new LinkReply(request.Refused((int)StackError.InvalidArgument, e.Message)));
        }
    }
}
