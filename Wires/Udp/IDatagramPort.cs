using Tapwire.Posix;
using Tapwire.Stack.Ip;

namespace Tapwire.Wires.Udp;

/// <summary>The way of a datagram, received or to be sent.</summary>
/// <param name="Remote">The other end's address and port.</param>
/// <param name="Local">The own address at which it came, or from which it is to leave; default: whichever the host chooses. An address that the host no longer has counts as that.</param>
/// <param name="TrafficClass">That of the outer IP header: DS field and ECN.</param>
internal readonly record struct DatagramPath(IpEndpoint Remote, IpAddress Local = default, byte TrafficClass = 0)
{
    /// <summary>From whichever address, with the default treatment.</summary>
    public static implicit operator DatagramPath(IpEndpoint remote) => new(remote);
}

/// <summary>Datagrams of one way that have come together: all have the same size, but the last one may be shorter.</summary>
/// <param name="bytes">The port's memory, which is the reader's until its next call.</param>
/// <param name="size">The size of each, in bytes, above 0.</param>
/// <param name="path">Where they have come from, and how.</param>
internal readonly ref struct DatagramBatch(Span<byte> bytes, int size, DatagramPath path)
{
    public Span<byte> Bytes { get; } = bytes;

    public int Size => size;

    public DatagramPath Path => path;
}

/// <summary>
/// A UDP port: the socket of the host's kernel, or its twin in memory. One owner calls it; no call blocks. After <see cref="TryReceive"/> has found nothing, or <see cref="TrySend"/> has taken
/// nothing, readiness is reported once more.
/// </summary>
internal interface IDatagramPort : IDisposable
{
    /// <summary>The local port.</summary>
    ushort Port { get; }

    /// <summary>Datagrams that the kernel has refused to send: no route, a firewall.</summary>
    long Refused { get; }

    /// <summary>Why the last one was refused; empty if none was. Reading clears it.</summary>
    string TakeRefusal();

    void Start(IReactor reactor, Action<Readiness> ready);

    /// <summary>The datagrams of the last <see cref="TryReceive"/> that has said true.</summary>
    DatagramBatch Latest { get; }

    /// <summary>Receives the next <see cref="Latest"/>.</summary>
    bool TryReceive();

    /// <summary>Sends datagrams of one size, but the last one may be shorter.</summary>
    /// <param name="bytes">At most <see cref="Libc.UdpMaxSegments"/> datagrams, and 65507 bytes.</param>
    /// <returns>False: there is no room, and nothing has been sent.</returns>
    bool TrySend(in DatagramPath path, ReadOnlySpan<byte> bytes, int size);
}

/// <summary>Takes the datagrams that an engine sends. The engine writes each in place, so that a packet is sealed where it will be sent from.</summary>
internal interface IDatagramSink
{
    /// <summary>Room for one datagram of exactly that length; empty: there is none, and the datagram is lost.</summary>
    Span<byte> Begin(in DatagramPath path, int length);

    /// <summary>The datagram of the last <see cref="Begin"/> has been written.</summary>
    void End();
}
