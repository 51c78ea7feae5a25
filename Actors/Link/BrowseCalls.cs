using System.Buffers;
using System.Text.Json;
using Akka.Actor;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Names.Mdns;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Link;

/// <summary>Requests to look for services on the links, which multicast DNS carries out.</summary>
internal static class BrowseCalls
{
    /// <summary>How much longer than the time that was asked for an answer may take.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Bytes of the answer after which services are only counted: one more, of which a name and texts are bounded, always fits.</summary>
    private const int MostBytes = LinkProtocol.MaxAnswer - (64 << 10);

    public static void Ask(BrowseRequest request, IActorRef names, IActorRef session, IActorRef self)
    {
        var type = MdnsNames.AllServices;
        if (request.Service.Length > 0 && !MdnsNames.TryParseServiceType(request.Service, out type))
        {
            session.Tell(new LinkReply(request.Refused((int)StackError.InvalidArgument, $"'{request.Service}' is no type of services, as _http._tcp is.")));
            return;
        }

        var time = TimeSpan.FromMilliseconds(request.Milliseconds);
        names.Ask<ServicesFound>(new BrowseServices(type!, time), time + Patience).PipeTo(session, self,
            found => new LinkReply(AnswerOf(request, type!, found)),
            _ => new LinkReply(AnswerOf(request, type!, ServicesFound.Failed(LookupResult.ServerFailure))));
    }

    private static LinkAnswer AnswerOf(BrowseRequest request, DnsName type, ServicesFound found) => found.Result switch
    {
        LookupResult.Found => request.Found(Write(type, found.Services)),
        LookupResult.NoServer => request.Refused(LinkErrno.NoServer, "No link is asked for services: the driver has no interface with Ethernet, or tapwire.dns.mdns is off."),
        LookupResult.Busy => request.Refused(LinkErrno.Busy, "Services are being looked for too often at once; try again."),
        _ => request.Refused(LinkErrno.ServerFailure, "Multicast DNS has stopped; try again."),
    };

    private static ReadOnlyMemory<byte> Write(DnsName type, IReadOnlyList<FoundService> services)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var isOfTypes = type.Equals(MdnsNames.AllServices);
        var text = type.ToString();
        using var json = new Utf8JsonWriter(buffer);
        json.WriteStartObject();
        json.WriteStartArray("services");
        var left = 0;
        foreach (var found in services.OrderBy(static each => each.Service.Name, StringComparer.OrdinalIgnoreCase).ThenBy(static each => each.Index))
        {
            json.Flush();
            if (buffer.WrittenCount > MostBytes)
                left++;
            else
                Write(json, found, isOfTypes ? found.Service.Name : text[..text.LastIndexOf('.')]);
        }

        json.WriteEndArray();
        json.WriteNumber("left", left);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }

    private static void Write(Utf8JsonWriter json, FoundService found, string type)
    {
        var service = found.Service;
        json.WriteStartObject();
        json.WriteString("interface", found.Interface);
        json.WriteString("name", service.Name);
        json.WriteString("type", type);
        if (service.Host is { } host)
        {
            json.WriteString("host", host.ToString());
            json.WriteNumber("port", service.Port);
            json.WriteStartArray("addresses");
            // A link-local one says nothing without its link (RFC 4007, 11).
            foreach (var address in service.Addresses)
                json.WriteStringValue(address is { IsV6: true, IsLinkLocal: true } ? new ZonedAddress(address, found.Interface).ToString() : address.ToString());
            json.WriteEndArray();
        }

        if (service.Text.Count > 0)
        {
            json.WriteStartArray("text");
            foreach (var line in service.Text)
                json.WriteStringValue(line);
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }
}
