using Tapwire.Posix;

namespace Tapwire.Wires.Udp;

/// <summary>A port whose datagrams may be seen by somebody else.</summary>
/// <param name="port">This port's from now on.</param>
internal sealed class ObservedPort(IDatagramPort port) : IDatagramPort
{
    /// <summary>Null: nobody looks, and a call costs no more than a look at that.</summary>
    public ITunnelObserver? Observer { get; set; }

    public ushort Port => port.Port;

    public long Refused => port.Refused;

    public DatagramBatch Latest => port.Latest;

    public string TakeRefusal() => port.TakeRefusal();

    public void Start(IReactor reactor, Action<Readiness> ready) => port.Start(reactor, ready);

    public bool TryReceive()
    {
        if (!port.TryReceive())
            return false;
        if (Observer is { } observer)
        {
            var batch = port.Latest;
            observer.Passed(batch.Path.Remote, new(batch.Path.Local, Port), batch.Path.TrafficClass, batch.Bytes, batch.Size, isInbound: true);
        }

        return true;
    }

    public bool TrySend(in DatagramPath path, ReadOnlySpan<byte> bytes, int size)
    {
        var refused = port.Refused;
        if (!port.TrySend(path, bytes, size))
            return false;
        // What the host refuses to send has not been on its network.
        if (Observer is { } observer && port.Refused == refused)
            observer.Passed(new(path.Local, Port), path.Remote, path.TrafficClass, bytes, size, isInbound: false);
        return true;
    }

    public void Dispose() => port.Dispose();
}
