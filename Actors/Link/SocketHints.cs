using Tapwire.Links.Protocol;

namespace Tapwire.Actors.Link;

/// <summary>
/// Options that change nothing here: hints about timing and memory, permissions for what is permitted anyhow, and behaviour that is always so. They are accepted
/// because programs take a refusal for a fault of the network, and remembered because programs read them back.
/// </summary>
internal struct SocketHints
{
    private const int SolIp = LinkOption.IpProtoIp;
    private const int SolSocket = LinkOption.SolSocket;
    private const int SolTcp = LinkOption.IpProtoTcp;
    private const int SolIpV6 = LinkOption.IpProtoIpV6;

    private Dictionary<(int Level, int Name), int>? _values;

    /// <summary>IPV6_V6ONLY is set: the application has another socket for IPv4.</summary>
    public readonly bool IsV6Only => _values is not null && _values.GetValueOrDefault((SolIpV6, LinkOption.IpV6V6Only)) != 0;

    /// <summary>Sets or reads a hint. Null: the request is about something else.</summary>
    public LinkAnswer? Answer(LinkSocketRequest request)
    {
        switch (request)
        {
            case GetOptionRequest get when IsHint(get.Level, get.Name):
                return get.Value(_values?.GetValueOrDefault((get.Level, get.Name)) ?? 0);
            case SetOptionRequest set when IsHint(set.Level, set.Name):
                if (!LinkOptions.TryDecode(null, set.Value.Span, out var value))
                    return set.Failed(Stack.StackError.InvalidArgument);
                (_values ??= [])[(set.Level, set.Name)] = value;
                return set.Done();
            default:
                return null;
        }
    }

    private static bool IsHint(int level, int name) => (level, name) switch
    {
        (SolSocket, LinkOption.SoDebug or LinkOption.SoDontRoute or LinkOption.SoPriority or LinkOption.SoBusyPoll or LinkOption.SoIncomingCpu) => true,

        // Urgent bytes are always in line.
        (SolSocket, LinkOption.SoOobInline) => true,

        // The stack decides by its own rules when to send, to acknowledge, and to wake the application.
        (SolTcp, LinkOption.TcpCork or LinkOption.TcpDeferAccept or LinkOption.TcpQuickAck or LinkOption.TcpNotSentLowat or LinkOption.TcpLinger2) => true,

        // Packets are never fragmented, the path MTU is always discovered, errors are always reported.
        (SolIp, LinkOption.IpMtuDiscover or LinkOption.IpRecvErr or LinkOption.IpBindAddressNoPort) => true,
        (SolIpV6, LinkOption.IpV6V6Only or LinkOption.IpV6MtuDiscover or LinkOption.IpV6RecvErr) => true,
        _ => false,
    };
}
