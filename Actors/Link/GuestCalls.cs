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
    // IPPROTO_TCP, IPPROTO_UDP.
    private const int Tcp = 6;
    private const int Udp = 17;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>The answer of a driver that stops to a request of any kind, whose descriptor is closed.</summary>
    public static LinkReply Refuse(LinkRequest request)
    {
        Drop(request);
        return new LinkReply(request.Failed(StackError.ConnectionAborted));
    }

    /// <summary>Closes what a request has brought, when nobody will handle it.</summary>
    public static void Drop(LinkRequest request) => request.Passed?.Dispose();

    /// <summary>Asks the actor that has the guests, and answers the session. A guest ends with the session that has added it.</summary>
    public static void Ask(LinkCall call, IActorRef guests, IActorRef session, IActorRef self)
    {
        if (call.Request is AddGuestRequest add)
            Add(add, call.Peer.ProcessId, guests, session, self);
        else
            Publish((PublishRequest)call.Request, guests, session, self);
    }

    private static void Publish(PublishRequest request, IActorRef guests, IActorRef session, IActorRef self)
    {
        if (request.Protocol is not (Tcp or Udp) || request.Listen.Port == 0 || request.Port == 0)
        {
            session.Tell(new LinkReply(request.Refused((int)StackError.InvalidArgument, "A published port is of TCP or UDP, and neither port is 0.")));
            return;
        }

        var spec = new PublishSpec(request.Protocol == Tcp ? Transport.Tcp : Transport.Udp, request.Listen, request.Port);
        guests.Ask<GuestAnswer>(new PublishPort(spec, session), Patience).PipeTo(session, self,
            answer => new LinkReply(answer.Error == 0 ? request.Done() : request.Refused(answer.Error, answer.Reason)),
            _ => new LinkReply(request.Failed(StackError.TimedOut)));
    }

    private static void Add(AddGuestRequest request, int process, IActorRef guests, IActorRef session, IActorRef self)
    {
        if (request.Device is not { } device)
        {
            Refuse("No descriptor has come with the request; a guest needs a TUN device.");
            return;
        }

        if (request.Mtu is < InterfaceSettings.MinMtu or > ushort.MaxValue)
        {
            device.Dispose();
            Refuse($"The MTU of a guest's device is {InterfaceSettings.MinMtu} to {ushort.MaxValue}, not {request.Mtu}.");
            return;
        }

        try
        {
            var wire = TapWire.Adopt(device.Take(), $"guest-{request.Addresses.All[0]}", request.Mtu, TapWire.GuestOffloads);
            guests.Ask<GuestAnswer>(new AddGuest(wire, request.Addresses, session, process), Patience).PipeTo(session, self,
                answer => new LinkReply(answer.Error == 0 ? request.Done() : request.Refused(answer.Error, answer.Reason)),
                _ => new LinkReply(request.Failed(StackError.TimedOut)));
        }
        catch (WireException e)
        {
            Refuse(e.Message);
        }

        void Refuse(string reason) => session.Tell(new LinkReply(request.Refused((int)StackError.InvalidArgument, reason)));
    }
}
