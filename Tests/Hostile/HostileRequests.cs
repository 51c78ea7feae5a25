using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Links.Support;

namespace Tapwire.Tests.Hostile;

/// <summary>Requests as no client of ours makes them: every field may be anything, and the bytes may be changed after that.</summary>
/// <param name="handles">Sockets that there are.</param>
internal sealed class HostileRequests(Random random, List<ulong> handles)
{
    private uint _id;

    public LinkRequest Request()
    {
        var id = ++_id;
        return random.Next(18) switch
        {
            < 4 => new SocketRequest(
                id, random.Next(4) == 0 ? (SocketFamily)random.Next(65536) : SocketFamily.V4, random.Next(4) == 0 ? (LinkSocketType)random.Next(8) : (LinkSocketType)random.Next(1, 3),
                random.Next(4) == 0 ? Number() : 0),
            4 => new ConnectRequest(id, Handle(), Address(), random.Next(2) == 0 ? 0 : (uint)Number(), random.Next(2) == 0),
            5 => new BindRequest(id, Handle(), Address()),
            6 => new ListenRequest(id, Handle(), Number()),
            7 => new GetSockNameRequest(id, Handle()),
            8 => new GetPeerNameRequest(id, Handle()),
            9 => new ShutdownRequest(id, Handle(), (ShutdownHow)random.Next(3)),
            10 => new CloseRequest(id, Handle()),
            11 => new SetOptionRequest(id, Handle(), Level(), random.Next(64), Value(), random.Next(4) == 0),
            12 => new GetOptionRequest(id, Handle(), Level(), random.Next(64), random.Next(LinkProtocol.MaxOptionValue + 1)),
            13 => new SessionRequest(id),
            14 => new PingRequest(id, Address(), (ushort)Number(), random.Next(65508), random.Next(1, 60001)),
            15 => Change(id),
            16 => random.Next(2) == 0
                ? new AddInterfaceAddressRequest(id, Prefix(), Name())
                : new RemoveInterfaceRequest(id, Name()),
            _ => random.Next(2) == 0
                ? new AddAddressRequest(id, IpAddress.FromV4(0x0A800000u + (uint)random.Next(16)), random.Next(33))
                : new RemoveAddressRequest(id, IpAddress.FromV4(0x0A800000u + (uint)random.Next(16))),
        };
    }

    /// <summary>The same as bytes, of which some may be changed, missing or too many.</summary>
    public byte[] Bytes()
    {
        var frame = LinkHarness.Frame(Request());
        switch (random.Next(8))
        {
            case 0:
                frame[random.Next(frame.Length)] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                frame[random.Next(frame.Length)] = (byte)random.Next(256);
                break;
            case 2:
                BitConverter.TryWriteBytes(frame, Number());
                break;
            case 3:
                random.NextBytes(frame.AsSpan(random.Next(frame.Length)));
                break;
            case 4 when random.Next(4) == 0:
                frame = frame[..random.Next(frame.Length)];
                break;
            case 5 when random.Next(4) == 0:
                frame = [.. frame, .. new byte[random.Next(2000)]];
                break;
        }

        return frame;
    }

    private InterfaceRequest Change(uint id) => random.Next(4) switch
    {
        2 => new NeighborRequest(id, random.Next(4) == 0 ? null : Address().Endpoint.Address, random.Next(2) == 0 ? null : new MacAddress((ulong)random.NextInt64()), Name()),
        0 => new AddRouteRequest(id, new LinkRoute(Prefix(), Address().Endpoint.Address) { Metric = Metric() }, Name()),
        1 => new RemoveRouteRequest(id, Prefix(), Name()) { Metric = Metric() is > 0 and var metric ? metric : null },
        _ => new AddInterfaceRequest(id, new NewInterface(random.Next(2) == 0 ? "tap:b" : Name(), Several(Prefix, 8))
        {
            Name = Name(),
            Mtu = random.Next(65536),
            HardwareAddress = random.Next(2) == 0 ? null : new MacAddress((ulong)random.NextInt64()),
            PeerAddresses = Several(Prefix, 4),
            Routes = Several(() => new LinkRoute(Prefix(), Address().Endpoint.Address), 4),
        }),
    };

    private T[] Several<T>(Func<T> one, int most) => [.. Enumerable.Range(0, random.Next(most)).Select(_ => one())];

    private int Metric() => random.Next(3) == 0 ? 0 : random.Next(int.MaxValue);

    private IpPrefix Prefix()
    {
        var address = random.Next(4) == 0 ? Address().Endpoint.Address : IpAddress.FromV4(0x0A800000u + (uint)random.Next(1 << 16));
        return new IpPrefix(address, random.Next((address.Length * 8) + 1));
    }

    /// <summary>Of an interface that there is, of one that may come, of none, or no name at all.</summary>
    private string Name() => random.Next(6) switch
    {
        0 => "tw0",
        1 => "b",
        2 => "",
        3 => new string('x', random.Next(100)),
        4 => "\u001b[31m\ud800",
        _ => $"b{random.Next(4)}",
    };

    private ulong Handle() => handles.Count == 0 || random.Next(6) == 0 ? (ulong)random.NextInt64() : handles[random.Next(handles.Count)];

    private Sockaddr Address() => Sockaddr.From(new IpEndpoint(
        random.Next(6) switch
        {
            0 => default,
            1 => IpAddress.FromV4((uint)random.NextInt64()),
            2 => IpAddress.Parse("fe80::1"),
            3 => IpAddress.Parse("10.99.0.2"),
            _ => IpAddress.Parse("10.99.0.1"),
        },
        random.Next(3) == 0 ? (ushort)80 : (ushort)Number()));

    private int Level() => random.Next(4) switch { 0 => 0, 1 => 1, 2 => 6, _ => Number() };

    private byte[] Value()
    {
        var value = new byte[random.Next(3) == 0 ? random.Next(LinkProtocol.MaxOptionValue + 1) : random.Next(3) * 4];
        if (random.Next(2) == 0)
            random.NextBytes(value);
        return value;
    }

    /// <summary>A number as it is, or at one of the ends.</summary>
    private int Number() => random.Next(6) switch
    {
        0 => 0,
        1 => -1,
        2 => int.MaxValue,
        3 => int.MinValue,
        4 => random.Next(1, 2000),
        _ => (int)random.NextInt64(),
    };
}
