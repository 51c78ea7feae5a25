using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Interfaces;

/// <summary>
/// Frames that wait for the wire. Transports hold back when the limit is reached (<see cref="HasRoom"/>). Frames that cannot wait (answers, errors, resets, ARP) have
/// an eighth more room, so that bulk data does not shut them out; beyond that they are dropped and counted. Packets are cut into fragments here, behind the neighbour table, so that
/// a datagram waits as one and leaves whole or not at all: its fragments may go beyond the limit together.
/// </summary>
internal sealed class EgressQueue
{
    private readonly int _frames;
    private readonly int _bytes;
    private readonly BufferPool _pool;
    private readonly int _linkHeader;
    private readonly StackCounters _counters;
    private BufferQueue _queue;

    public EgressQueue(InterfaceOptions options, BufferPool pool, StackCounters counters)
    {
        _pool = pool;
        _linkHeader = options.Medium == Medium.Ip ? 0 : EthernetHeader.Length;
        _frames = options.EgressFrames;
        _bytes = options.EgressBytes;
        _counters = counters;
    }

    public bool IsEmpty => _queue.IsEmpty;

    public bool HasRoom => _queue.Count < _frames && _queue.Bytes < _bytes;

    /// <summary>Takes the frame over, even if it drops it.</summary>
    public void Enqueue(PacketBuffer frame)
    {
        if (_queue.Count >= _frames + (_frames >> 3) + 1 || _queue.Bytes >= _bytes + (_bytes >> 3))
        {
            _counters.EgressOverflow++;
            if (frame.Offload.Segmentation is Segmentation.Ipv4Fragments or Segmentation.Ipv6Fragments)
                _counters.IpFragFails++;
            frame.Release();
            return;
        }

        if (frame.Offload.Segmentation is Segmentation.Ipv4Fragments or Segmentation.Ipv6Fragments)
            EnqueueFragments(frame);
        else
            Append(frame);
    }

    public bool TryDequeue([NotNullWhen(true)] out PacketBuffer? frame) => _queue.TryDequeue(out frame);

    private void Append(PacketBuffer frame)
    {
        _counters.OutFrames++;
        _counters.OutBytes += frame.TotalLength;
        _queue.Enqueue(frame);
    }

    /// <summary>Cuts a packet (RFC 791, 3.2; RFC 8200, 4.5). Each fragment has headers of its own, and refers to the packet's memory for its payload.</summary>
    private void EnqueueFragments(PacketBuffer frame)
    {
        var isV6 = frame.Offload.Segmentation == Segmentation.Ipv6Fragments;
        var headers = _linkHeader + (isV6 ? Ipv6Header.Length + Ipv6FragmentHeader.Length : Ipv4Header.Length);
        var payload = frame.TotalLength - headers;
        for (int offset = 0, size = frame.Offload.SegmentSize; offset < payload; offset += size)
        {
            var count = Math.Min(size, payload - offset);
            var fragment = _pool.Rent(headers);
            frame.Span[..headers].CopyTo(fragment.Append(headers));
            var header = fragment.Span[_linkHeader..];
            if (isV6)
                Ipv6FragmentHeader.Refit(header, count, offset, hasMore: offset + count < payload);
            else
                Ipv4Header.Refit(header, Ipv4Header.Length + count, offset, hasMore: offset + count < payload);
            fragment.AddFragments(frame, headers + offset, count);
            _counters.IpFragCreates++;
            Append(fragment);
        }

        _counters.IpFragOKs++;
        frame.Release();
    }
}
