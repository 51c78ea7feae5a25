using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Tcp;

/// <content>
/// TCP Fast Open (RFC 7413): the server's side of a SYN, and what the client side knows of servers.
/// </content>
/// <remarks>
/// A server needs no call of its own: with <see cref="TcpSocketOptions.FastOpenQueue"/> above 0 in the options given to Listen (or set with
/// <see cref="TcpListener.SetFastOpenQueue"/>), a connection with a valid cookie is Acceptable at once, in SYN-RECEIVED, with the data of its SYN; reading,
/// writing and closing work as ever. A client gives <see cref="TcpSocketOptions.FastOpen"/> to Connect: if a cookie is at hand, the event Connected comes at once
/// and the first Write sends the SYN. MSG_FASTOPEN is Connect with that option, followed by Write.
/// </remarks>
public sealed partial class TcpLayer
{
    /// <summary>Servers that a client remembers.</summary>
    private const int FastOpenCacheCapacity = 1024;

    /// <summary>Made when a socket asks for it first.</summary>
    internal FastOpenCache FastOpenCache => _fastOpenCache ??= new FastOpenCache(FastOpenCacheCapacity);

    private readonly SipHash _fastOpenKey;
    private FastOpenCache? _fastOpenCache;

    /// <summary>The cookie for a client: a keyed hash of the addresses (RFC 7413, 4.1.2).</summary>
    internal FastOpenCookie FastOpenCookieFor(in TcpPair pair) =>
        new(HashOf(_fastOpenKey, new TcpPair(new IpEndpoint(pair.Local.Address, 0), new IpEndpoint(pair.Remote.Address, 0))), 0, sizeof(ulong));

    /// <param name="givesCookie">The ordinary handshake, if it comes to that, hands out a cookie.</param>
    /// <returns>True: the connection opens with the SYN.</returns>
    private bool OpensFast(TcpListener listener, in TcpPair pair, in TcpHeader syn, Instant now, out bool givesCookie)
    {
        givesCookie = false;
        if (!syn.HasFastOpen || !Options.FastOpen || listener.Options.Value.FastOpenQueue <= 0)
            return false;
        if (syn.FastOpenCookie.IsRequest)
            Counters.TcpExtTCPFastOpenCookieReqd++;
        if (!listener.HasFastOpenPlace(now))
        {
            Counters.TcpExtTCPFastOpenListenOverflow++;
            return false;
        }

        if (syn.FastOpenCookie == FastOpenCookieFor(pair) && Count < Options.MaxSockets)
            return true;
        givesCookie = true;
        if (!syn.FastOpenCookie.IsRequest)
            Counters.TcpExtTCPFastOpenPassiveFail++;
        return false;
    }

    private void OpenFast(TcpListener listener, in TcpPair pair, in TcpHeader syn, PacketBuffer segment, uint iss, in IpRoute route, Instant now)
    {
        var connection = new TcpConnection(pair, _table.HashOf(pair));
        var socket = new TcpSocket(this, connection, listener.Options);
        AddEntry(connection);
        Count++;
        Counters.TcpPassiveOpens++;
        Counters.TcpExtTCPFastOpenPassive++;
        socket.BeginFastOpen(listener, syn, segment, iss, route, now);
        listener.Enqueue(socket);
    }
}
