using System.Buffers.Binary;
using Tapwire.Posix;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Wires.Udp;

/// <summary>
/// The twin of <see cref="UdpPort"/> in memory: datagrams go over one end of a <see cref="Cable"/>, with its latency, loss and reordering, in virtual or real time. Each frame is a datagram behind its
/// addresses and its traffic class. Two ports of one cable are a network of two hosts.
/// </summary>
/// <param name="end">A raw IP end, which belongs to this port; its MTU has room for a datagram and <see cref="HeaderLength"/> bytes.</param>
/// <param name="pool">Rents the frames.</param>
internal sealed class CablePort(IWire end, IpEndpoint own, BufferPool pool) : IDatagramPort
{
    /// <summary>The addresses and ports of both ends, and the traffic class, before a datagram.</summary>
    public const int HeaderLength = 2 * EndpointLength + 1;

    private const int EndpointLength = 18;

    private readonly PacketBuffer[] _one = new PacketBuffer[1];
    private PacketBuffer? _latest;
    private DatagramPath _path;

    /// <summary>Where this host is; a host that moves gets another one.</summary>
    public IpEndpoint Own { get; set; } = own;

    public ushort Port => Own.Port;

    /// <summary>The network is congested: what may be marked arrives so.</summary>
    public bool Marks { get; set; }

    public long Refused { get; private set; }

    public DatagramBatch Latest => new(_latest!.Span, _latest.Length, _path);

    public string TakeRefusal() => "";

    public void Start(IReactor reactor, Action<Readiness> ready) => end.Start(reactor, ready);

    public bool TryReceive()
    {
        _latest?.Release();
        _latest = null;
        while (end.Read(pool, _one, out _) > 0)
        {
            var frame = _one[0];
            _one[0] = null!;
            if (frame.Length > HeaderLength && Read(frame.Span[EndpointLength..]) == Own)
            {
                _path = new DatagramPath(Read(frame.Span), Own.Address, Marked(frame.Span[HeaderLength - 1]));
                frame.TrimStart(HeaderLength);
                _latest = frame;
                return true;
            }

            // To where this host was before it moved.
            frame.Release();
        }

        return false;
    }

    public bool TrySend(in DatagramPath path, ReadOnlySpan<byte> bytes, int size)
    {
        for (var at = 0; at < bytes.Length; at += size)
        {
            var datagram = bytes.Slice(at, Math.Min(size, bytes.Length - at));
            var frame = pool.RentFilled(HeaderLength + datagram.Length);
            Write(Own, frame.Span);
            Write(path.Remote, frame.Span[EndpointLength..]);
            frame.Span[HeaderLength - 1] = path.TrafficClass;
            datagram.CopyTo(frame.Span[HeaderLength..]);
            _one[0] = frame;
            var taken = end.Write(_one);
            frame.Release();
            if (taken == 0 && at == 0)
                return false;
            Refused += 1 - taken;
        }

        return true;
    }

    public void Dispose()
    {
        _latest?.Release();
        _latest = null;
        end.Dispose();
    }

    private byte Marked(byte trafficClass) => Marks && (trafficClass & EcnField.Mask) != 0 ? (byte)(trafficClass | EcnField.Experienced) : trafficClass;

    private static IpEndpoint Read(ReadOnlySpan<byte> bytes) => new(IpAddress.FromBytes(bytes[..16]), BinaryPrimitives.ReadUInt16BigEndian(bytes[16..]));

    private static void Write(in IpEndpoint endpoint, Span<byte> bytes)
    {
        endpoint.Address.CopyTo16(bytes);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[16..], endpoint.Port);
    }
}
