using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Tapwire.Stack.Buffers;
using Xunit;

namespace Tapwire.Tests.Live.Wires;

/// <summary>
/// The least of a TCP that a kernel socket will talk to: it answers the handshake (no options but the MSS), and can then take and send one flight of data.
/// The checksums of what it sends are partial: the device completes them.
/// </summary>
internal sealed class TcpSketch : IDisposable
{
    private const byte Tcp = 6;
    private const int Link = 14;
    private const int TcpMinimum = 20;
    private const uint InitialSequence = 999;

    private readonly TapPeer _peer;
    private readonly PacketBuffer _synchronize;

    /// <summary>Connects the kernel socket to the peer's address.</summary>
    public TcpSketch(TapPeer peer, AddressFamily family)
    {
        _peer = peer;
        var v6 = family == AddressFamily.InterNetworkV6;
        TransportStart = Link + (v6 ? 40 : 20);
        SegmentSize = 1500 - (TransportStart - Link) - TcpMinimum;
        Socket = peer.Namespace.Run(() => new Socket(family, SocketType.Stream, ProtocolType.Tcp));
        var connected = Task.Run(() => Socket.Connect(IPAddress.Parse(v6 ? TapPeer.AddressV6 : TapPeer.Address), 7));
        _synchronize = Receive();
        // A kernel that is busy setting up its interface may lose an answer.
        for (var attempt = 0; !connected.IsCompleted; attempt++)
        {
            Assert.True(attempt < 20, "The kernel's connect did not end.");
            _peer.Send(Segment(InitialSequence, flags: 0x12, headerLength: 24, payload: 0));
            _ = connected.Wait(TimeSpan.FromSeconds(1));
        }
    }

    public Socket Socket { get; }

    /// <summary>Where the TCP header is in a frame.</summary>
    public int TransportStart { get; }

    public int SegmentSize { get; }

    /// <summary>The note that the kernel sent with its SYN.</summary>
    public OffloadNote SynchronizeNote => _synchronize.Offload;

    /// <summary>The next segment of the connection; the caller releases it.</summary>
    public PacketBuffer Receive() => _peer.Receive(frame => TapPeer.IsIp(frame, Tcp));

    public ReadOnlySpan<byte> PayloadOf(PacketBuffer segment) => segment.Span[(TransportStart + (segment.Span[TransportStart + 12] >> 4) * 4)..];

    /// <summary>Sends a payload as one super-frame, in fragments of 4000 bytes.</summary>
    public void SendSuperFrame(byte[] payload)
    {
        var frame = Segment(InitialSequence + 1, flags: 0x18, TcpMinimum, payload.Length);
        frame.Offload.Segmentation = TransportStart == Link + 20 ? Segmentation.TcpV4 : Segmentation.TcpV6;
        frame.Offload.SegmentSize = (ushort)SegmentSize;
        frame.Offload.HeaderLength = (ushort)frame.Length;
        for (var at = 0; at < payload.Length; at += 4000)
        {
            var piece = _peer.Pool.Rent(4000);
            payload.AsSpan(at, 4000).CopyTo(piece.Append(4000));
            frame.AddFragment(piece, 0, 4000);
            piece.Release();
        }

        _peer.Send(frame);
    }

    public void Dispose()
    {
        Socket.Dispose();
        _synchronize.Release();
    }

    private PacketBuffer Segment(uint sequence, byte flags, int headerLength, int payload)
    {
        var frame = _peer.Answer(_synchronize, TransportStart + headerLength);
        var tcp = frame.Span[TransportStart..];
        var peers = _synchronize.Span[TransportStart..];
        peers[2..4].CopyTo(tcp);
        peers[..2].CopyTo(tcp[2..]);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[4..], sequence);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[8..], BinaryPrimitives.ReadUInt32BigEndian(peers[4..]) + 1);
        tcp[12] = (byte)(headerLength / 4 << 4);
        tcp[13] = flags;
        BinaryPrimitives.WriteUInt16BigEndian(tcp[14..], 65535);
        BinaryPrimitives.WriteUInt32BigEndian(tcp[16..], 0);
        if (headerLength > TcpMinimum)
        {
            tcp[20] = 2;
            tcp[21] = 4;
            BinaryPrimitives.WriteUInt16BigEndian(tcp[22..], (ushort)SegmentSize);
        }

        TapPeer.SealIp(frame, frame.Length - Link + payload);
        BinaryPrimitives.WriteUInt16BigEndian(tcp[16..], TapPeer.PseudoHeaderSum(frame, Tcp, headerLength + payload));
        frame.Offload = new OffloadNote { Checksum = ChecksumState.Partial, ChecksumStart = (ushort)TransportStart, ChecksumOffset = 16 };
        return frame;
    }
}
