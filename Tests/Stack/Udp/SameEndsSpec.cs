using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Udp;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Stack.Udp;

/// <summary>Connected sockets that have both ends in common: which one has the datagrams is as in Linux, whose list of them begins with the one that was entered last, but of IPv6 and
/// SO_REUSEPORT with the first one (udp_lib_get_port, udp_lib_rehash).</summary>
public sealed class SameEndsSpec : IDisposable
{
    private const ushort Port = 53;

    private readonly StackHarness _h = BuildV6.Harness();

    public void Dispose() => _h.Dispose();

    /// <param name="order">In which they are connected, once all are bound.</param>
    /// <param name="receivers">Each closes when it has received.</param>
    [Theory]
    [InlineData(false, false, "10.0.0.1", "012", "210")]
    [InlineData(false, false, "10.0.0.1", "210", "210")]
    [InlineData(false, false, "::", "012", "210")]
    [InlineData(false, false, "::", "210", "012")]
    [InlineData(false, true, "10.0.0.1", "012", "210")]
    [InlineData(false, true, "::", "120", "021")]
    [InlineData(true, false, "fd00::1", "012", "210")]
    [InlineData(true, false, "fd00::1", "210", "210")]
    [InlineData(true, false, "::", "201", "102")]
    [InlineData(true, true, "fd00::1", "012", "012")]
    [InlineData(true, true, "fd00::1", "210", "012")]
    [InlineData(true, true, "::", "012", "210")]
    public void One_has_the_datagrams_and_where_it_goes_the_next(bool isV6, bool sharesPort, string bound, string order, string receivers)
    {
        var sharing = sharesPort ? new PortSharing { ReusePort = true } : new PortSharing { ReuseAddress = true };
        var sockets = Enumerable.Range(0, 3).Select(_ =>
        {
            Assert.Equal(StackError.None, _h.Stack.Udp.Bind(new IpEndpoint(IpAddress.Parse(bound), Port), new UdpSocketOptions { Sharing = sharing }, out var socket));
            return socket!;
        }).ToList();
        var peer = new IpEndpoint(isV6 ? BuildV6.Peer : StackHarness.PeerIp, 4000);
        foreach (var index in order)
            Assert.Equal(StackError.None, sockets[index - '0'].Connect(peer));
        var said = "";
        for (var i = 0; i < sockets.Count; i++)
        {
            _h.Receive(isV6 ? BuildV6.Udp(4000, Port, [1]) : Build.Udp(4000, Port, [1]));
            var receiver = sockets.FindIndex(static socket => Take(socket));
            said += receiver;
            sockets[receiver].Close();
        }

        Assert.Equal(receivers, said);
    }

    private static bool Take(UdpSocket socket)
    {
        var any = socket.TryReceive(out var payload, out _);
        payload?.Release();
        return any;
    }
}
