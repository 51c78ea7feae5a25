using System.Buffers.Binary;
using System.Text;
using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Names;
using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Dhcp;

/// <summary>The DHCPv6 client of one interface, around a <see cref="Dhcp6Client"/>. Where the interface listens to routers, they say what it asks for.</summary>
internal sealed class Dhcp6Actor(DhcpContext context) : DhcpClientActor(context, ".lease6")
{
    /// <summary>Bits of a host's address: what is on the link only routers say.</summary>
    private const int HostLength = 128;

    private Dhcp6Client? _client;

    protected override object OpenPort => new OpenDhcp6(Interface);

    protected override object ClosePort => new CloseDhcp6(Interface);

    protected override string NamesSource => SourceOf(Interface);

    protected override bool IsV6 => true;

    public static Props Props(DhcpContext context) => Akka.Actor.Props.Create(() => new Dhcp6Actor(context));

    /// <summary>How <see cref="NamesActor"/> knows the client of an interface.</summary>
    public static string SourceOf(string name) => $"{name}, DHCPv6";

    protected override void Opening(KeptLease kept)
    {
        Receive<Dhcp6Opened>(opened =>
        {
            var association = BinaryPrimitives.ReadUInt32BigEndian(Association);
            var client = _client = new Dhcp6Client(OptionsOf(opened, association, kept.Duid), SecretOf("dhcp6"));
            var lease = kept.Message is { } message ? Dhcp6Lease.Read(message, association) : null;
            client.Follow(opened.Advice ?? default, Now);
            client.Start(lease, kept.Left(lease?.Lifetime, DhcpContext.Clock), Now);
            Log.Info("{Interface}: {What}", Interface, opened.Advice is null ? "looks for an address by DHCPv6" : "asks by DHCPv6 for what routers say is to be had");
            Run(client, () =>
            {
                Drained<Dhcp6Received>(client, received => client.Received(received.Message.Span, received.Source, Now));
                Drained<RouterAdvised>(client, advised => client.Follow(advised.Advice, Now));
                Drained<DuplicateHeard>(client, heard => client.DuplicateFound(heard.Address, Now));
            });
        });
        Receive<DhcpOpenFailed>(failed => Fail(failed.Error == StackError.NotSupported ? "the wire is not Ethernet, or its MTU is below 1280" : failed.Error.Describe()));
        ReceiveIdle("starting");
    }

    protected override void CarryOut(DhcpEvent next)
    {
        switch (next)
        {
            case Dhcp6Send send:
                DhcpContext.Stack.Tell(new SendDhcp6(Interface, send.Message));
                break;
            case Dhcp6Configured { Configuration: var wanted }:
                Apply(wanted.Addresses.Count == 0 ? null : new LeasedConfiguration([.. wanted.Addresses.Select(static each => new LeasedAddress(new IpPrefix(each.Address, HostLength), each.IsDeprecated))], [], null));
                if (wanted.NameServers.Count + wanted.Domains.Count > 0 || DhcpContext.IsOnlySource)
                    TellNames(wanted.Addresses.Count + wanted.NameServers.Count + wanted.Domains.Count == 0 ? null : new LeasedServers([.. wanted.NameServers], [.. wanted.Domains]));
                else
                    DhcpContext.Names.Tell(new LeasedNamesGone(NamesSource));
                break;
            case Dhcp6Bound { Before: { } before, Lease: var lease } when AddressesOf(lease) == AddressesOf(before):
                Log.Info("{Interface}: {Server} has given {Address} more time, {Lifetime}", Interface, _client!.Server, AddressesOf(lease), LifetimeOf(lease.Lifetime));
                Keep(lease.Message, _client.Expires);
                break;
            case Dhcp6Bound { Lease: var lease }:
                Log.Info("{Interface}: has {Address} by DHCPv6 for {Lifetime}{Rest}", Interface, AddressesOf(lease), LifetimeOf(lease.Lifetime), RestOf(lease.NameServers, lease.Domains));
                Keep(lease.Message, _client!.Expires);
                break;
            case Dhcp6Told told:
                Log.Info("{Interface}: has been told by DHCPv6{Rest}", Interface, RestOf(told.NameServers, told.Domains) is { Length: > 0 } rest ? rest : " that there is nothing to know");
                break;
            case Dhcp6Lost lost:
                Log.Info("{Interface}: has lost {Address}, {Reason}; looks for another one", Interface, AddressesOf(lost.Lease), lost.Reason == DhcpLoss.Expired ? "whose time is over" : "which a server refuses");
                Keep(null, Instant.Never);
                break;
            case Dhcp6Refused refused:
                Log.Info("{Interface}: a DHCPv6 server refuses what was asked for ({Status}); looks for an address anew", Interface, refused.Status);
                break;
            case Dhcp6Declined declined:
                Log.Info("{Interface}: {Address} is another station's already, and is declined; looks for another one", Interface, declined.Address);
                Keep(null, Instant.Never);
                break;
            case DhcpUnanswered:
                Log.Info("{Interface}: no DHCPv6 server has answered yet; goes on asking", Interface);
                break;
            case Dhcp6Released released:
                Log.Info("{Interface}: has given {Address} back", Interface, AddressesOf(released.Lease));
                Keep(null, Instant.Never);
                break;
        }
    }

    protected override LeaseStatus StatusOf() => StatusOf(_client!.State.ToString().ToLowerInvariant(), _client) with
    {
        Address = _client.HasLease ? new IpPrefix(_client.Addresses.First(), HostLength) : null,
        Server = _client.Server.IsUnspecified ? null : _client.Server,
        IsApplied = (_client.HasLease || _client.State == Dhcp6State.Informed) && IsApplied,
    };

    private Dhcp6ClientOptions OptionsOf(Dhcp6Opened opened, uint association, byte[]? duid) => new()
    {
        Duid = DhcpContext.Settings.Identity == DhcpIdentity.Hardware || duid is null ? Dhcp6.DuidOf(opened.Hardware) : duid,
        Association = association,
        HostName = DhcpContext.Settings.HostName,
        FollowsRouters = opened.Advice is not null,
    };

    private static string AddressesOf(Dhcp6Lease lease) => string.Join(", ", lease.Addresses.Select(static address => address.Address));

    private static string RestOf(IReadOnlyList<IpAddress> servers, IReadOnlyList<string> domains)
    {
        var text = new StringBuilder();
        AddNames(text, servers, domains);
        return text.ToString();
    }
}
