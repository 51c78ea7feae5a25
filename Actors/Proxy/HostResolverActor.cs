using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Proxy;

/// <summary>Finds addresses as programs of the host do, by its files and name servers. The look-up runs elsewhere; this actor never waits.</summary>
internal sealed class HostResolverActor : ReceiveActor
{
    private readonly ILoggingAdapter _log = Context.GetLogger();

    public HostResolverActor() => Receive<Resolve>(resolve =>
    {
        var log = _log;
        FindAsync(resolve.Name).PipeTo(Sender, Self,
            addresses => new Resolved(resolve.Name, Sorted(addresses)),
            cause =>
            {
                log.Debug("No address of {HostName}: {Reason}", resolve.Name, cause.GetBaseException().Message);
                return new Resolved(resolve.Name, []);
            });
    });

    public static Props Props() => Akka.Actor.Props.Create(() => new HostResolverActor());

    /// <summary>A name that cannot be one is refused at once; it is an answer like any other.</summary>
    private static async Task<IPAddress[]> FindAsync(string name) => await Dns.GetHostAddressesAsync(name);

    /// <summary>IPv4 first: it is what the stack speaks. Apart from that the resolver's own order (RFC 6724) stays.</summary>
    private static IpAddress[] Sorted(IPAddress[] addresses) =>
        [.. addresses.OrderBy(static address => address.AddressFamily == AddressFamily.InterNetwork ? 0 : 1).Select(IpAddress.FromSystem)];
}
