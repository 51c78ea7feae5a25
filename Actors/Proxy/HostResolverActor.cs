using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Proxy;

/// <summary>Looks up names with the host's resolver, its files and name servers. The look-up runs on other threads; this actor never waits.</summary>
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
                log.Debug("Host name {HostName} cannot be resolved: {Reason}", resolve.Name, cause.GetBaseException().Message);
                return new Resolved(resolve.Name, []);
            });
    });

    public static Props Props() => Akka.Actor.Props.Create(() => new HostResolverActor());

    /// <summary>An invalid name makes the resolver throw at once. That, too, becomes a failed task, and so an answer.</summary>
    private static async Task<IPAddress[]> FindAsync(string name) => await Dns.GetHostAddressesAsync(name);

    /// <summary>Puts IPv4 first. Apart from that the resolver's own order (RFC 6724) stays.</summary>
    private static IpAddress[] Sorted(IPAddress[] addresses) =>
        [.. addresses.OrderBy(static address => address.AddressFamily == AddressFamily.InterNetwork ? 0 : 1).Select(IpAddress.FromSystem)];
}
