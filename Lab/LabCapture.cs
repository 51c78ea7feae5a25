using Tapwire.Stack.Interfaces;
using Tapwire.Wires.Capture;

namespace Tapwire;

/// <summary>The frames of a run as pcapng: each host's device is an interface, with what it has sent and received. Times are the lab's.</summary>
/// <param name="most">Bytes; further frames are counted and not recorded.</param>
internal sealed class LabCapture(LabTimers timers, DateTimeOffset start, int most)
{
    private const int SnapLength = 1 << 18;

    private readonly Lock _gate = new();
    private readonly MemoryStream _packets = new();
    private readonly List<CapturedInterface> _interfaces = [];
    private readonly byte[] _header = Pcapng.Header("tapwire lab");

    private long Now => (start - DateTimeOffset.UnixEpoch + timers.Elapsed).Ticks * TimeSpan.NanosecondsPerTick;

    /// <summary>A host's device. Its number is the host's.</summary>
    public void Describe(LabHost host)
    {
        lock (_gate)
        {
            var added = new CapturedInterface(host.Number, host.Name, Medium.Ethernet, host.Mtu);
            _interfaces.Add(added);
            _packets.Write(Pcapng.Describe(added, SnapLength));
        }
    }

    /// <param name="fate">What became of it, as the packet's comment.</param>
    public void Add(LabHost host, ReadOnlySpan<byte> frame, bool isSent, string? fate)
    {
        lock (_gate)
        {
            var on = _interfaces[host.Number];
            var length = Pcapng.PacketHeaderLength + Pcapng.Padded(frame.Length);
            if (_packets.Length + length + Pcapng.MaxTailLength > most)
            {
                on.CountDropped();
                return;
            }

            on.CountReceived();
            var block = new byte[length + Pcapng.MaxTailLength];
            Pcapng.PacketHeader(block, host.Number, Now, frame.Length, frame.Length);
            frame.CopyTo(block.AsSpan(Pcapng.PacketHeaderLength));
            _packets.Write(block, 0, Pcapng.PacketTail(block, length, isSent ? CaptureDirection.Outbound : CaptureDirection.Inbound, fate));
        }
    }

    /// <summary>The file as it is now.</summary>
    public byte[] ToArray()
    {
        lock (_gate)
        {
            var begin = (start - DateTimeOffset.UnixEpoch).Ticks * TimeSpan.NanosecondsPerTick;
            var ends = _interfaces.Select(each => Pcapng.Statistics(each, begin, Now));
            return [.. _header, .. _packets.ToArray(), .. ends.SelectMany(static end => end)];
        }
    }
}
