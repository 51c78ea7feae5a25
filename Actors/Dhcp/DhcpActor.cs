using System.Globalization;
using System.Text;
using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Names;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp;

namespace Tapwire.Actors.Dhcp;

/// <summary>The DHCPv4 client of one interface, around a <see cref="DhcpClient"/>.</summary>
internal sealed class DhcpActor(DhcpContext context) : DhcpClientActor(context, ".lease")
{
    /// <summary>RFC 2132, 9.14, and RFC 4361, 6.1: kinds of client identifiers.</summary>
    private const byte IdentifierOfEthernet = 1;
    private const byte IdentifierOfNode = 255;

    private DhcpClient? _client;

    protected override object OpenPort => new OpenDhcp(Interface);

    protected override object ClosePort => new CloseDhcp(Interface);

    protected override string NamesSource => Interface;

    protected override bool IsV6 => false;

    public static Props Props(DhcpContext context) => Akka.Actor.Props.Create(() => new DhcpActor(context));

    protected override void Opening(KeptLease kept)
    {
        Receive<DhcpOpened>(opened =>
        {
            var client = _client = new DhcpClient(OptionsOf(opened, kept.Duid), SecretOf("dhcp"));
            var lease = kept.Message is { } message ? DhcpLease.Read(message) : null;
            var left = kept.Left(lease?.Lifetime, DhcpContext.Clock);
            client.Start(lease, left, Now);
            if (lease is not null && left > TimeSpan.Zero)
                Log.Info("{Interface}: asks by DHCP for {Address}, which it had before", Interface, lease.Address);
            else
                Log.Info("{Interface}: looks for an address by DHCP", Interface);
            Run(client, () =>
            {
                Drained<DhcpReceived>(client, received => client.Received(received.Message.Span, Now));
                Drained<AddressHeard>(client, heard => client.AddressHeard(heard.Address, heard.By, Now));
            });
        });
        Receive<DhcpOpenFailed>(failed => Fail(failed.Error == StackError.NotSupported ? "the wire is not Ethernet" : failed.Error.Describe()));
        ReceiveIdle("starting");
    }

    protected override void CarryOut(DhcpEvent next)
    {
        switch (next)
        {
            case DhcpSend send:
                DhcpContext.Stack.Tell(new SendDhcp(Interface, send.Message, send.Source, send.Destination));
                break;
            case DhcpProbe probe:
                DhcpContext.Stack.Tell(new ProbeAddress(Interface, probe.Address));
                break;
            case DhcpBound { Before: { } before, Lease: var lease } when lease.IsSameAs(before):
                Log.Info("{Interface}: {Server} has given {Address} more time, {Lifetime}", Interface, lease.Server, lease.Address, LifetimeOf(lease.Lifetime));
                Keep(lease.Message, _client!.Expires);
                break;
            case DhcpBound { Lease: var lease }:
                Log.Info("{Interface}: has {Address} from {Server} for {Lifetime}{Rest}", Interface, lease.Address, lease.Server, LifetimeOf(lease.Lifetime), RestOf(lease));
                Take(lease);
                Keep(lease.Message, _client!.Expires);
                break;
            case DhcpLost lost:
                Log.Info("{Interface}: has lost {Address}, {Reason}; looks for another one", Interface, lost.Lease.Address, lost.Reason == DhcpLoss.Expired ? "whose time is over" : "which a server refuses");
                Take(null);
                Keep(null, Instant.Never);
                break;
            case DhcpRefused refused:
                Log.Info("{Interface}: {Server} refuses what was asked for; looks for an address anew", Interface, refused.Server);
                break;
            case DhcpDeclined declined:
                Log.Info("{Interface}: {Address} is that of {Station} already, and is declined; looks for another one", Interface, declined.Address, declined.By);
                break;
            case DhcpUnanswered:
                Log.Info("{Interface}: no DHCP server has answered yet; goes on asking", Interface);
                break;
            case DhcpReleased released:
                Log.Info("{Interface}: has given {Address} back to {Server}", Interface, released.Lease.Address, released.Lease.Server);
                Keep(null, Instant.Never);
                break;
        }
    }

    protected override LeaseStatus StatusOf() => StatusOf(_client!.State.ToString().ToLowerInvariant(), _client) with
    {
        Address = _client.Lease?.Address,
        Server = _client.Lease?.Server,
    };

    private void Take(DhcpLease? lease)
    {
        Apply(lease is null ? null : LeasedConfiguration.Of(lease));
        TellNames(lease is null ? null : new LeasedServers([.. lease.NameServers], [.. lease.Domains]));
    }

    /// <summary>By RFC 4361 where the DUID can be kept, or where settings ask for the Ethernet address by that.</summary>
    private DhcpClientOptions OptionsOf(DhcpOpened opened, byte[]? duid)
    {
        var hardware = new byte[6];
        opened.Hardware.CopyTo(hardware);
        byte[] identifier = DhcpContext.Settings.Identity == DhcpIdentity.Hardware || duid is null ? [IdentifierOfEthernet, .. hardware] : [IdentifierOfNode, .. Association, .. duid];
        return new DhcpClientOptions
        {
            Hardware = opened.Hardware,
            ClientIdentifier = identifier,
            HostName = DhcpContext.Settings.HostName,
            Mtu = opened.Mtu,
        };
    }

    private static string RestOf(DhcpLease lease)
    {
        var text = new StringBuilder();
        if (lease.Routes.Count > 0)
            text.Append(CultureInfo.InvariantCulture, $"; routes {string.Join(", ", lease.Routes.Select(static route => route.Gateway.IsUnspecified ? $"{route.Destination}" : $"{route.Destination} via {route.Gateway}"))}");
        AddNames(text, lease.NameServers, lease.Domains);
        if (lease.Mtu > 0)
            text.Append(CultureInfo.InvariantCulture, $"; MTU {lease.Mtu}");
        return text.ToString();
    }
}
