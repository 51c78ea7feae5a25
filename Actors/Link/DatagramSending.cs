using System.Buffers;
using Akka.Actor;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors.Link;

/// <summary>
/// What an application sends on a UDP socket: reads its messages, and passes them to the stack. Payloads of several calls become one datagram where the application says so:
/// those with MSG_MORE, or while UDP_CORK is set, and the one after them (udp(7)). The first of these calls decides where the datagram goes and what is asked for it.
/// </summary>
internal sealed class DatagramSending(DatagramLink link, BufferPool pool, DatagramOptions options)
{
    /// <summary>Datagrams read from the application per message, before another actor has its turn.</summary>
    private const int ReadsPerTurn = 64;

    /// <summary>Bytes after which the turn ends: long datagrams leave in many frames, for which the wire has to have its turn.</summary>
    private const int BytesPerTurn = 64 << 10;

    /// <summary>Turns in which all is read that the pair can hold.</summary>
    private const int MostTurnsWritten = 16;

    // Null until something waits for more: most applications never say so.
    private ArrayBufferWriter<byte>? _bytes;
    private bool _isPending;
    private Sockaddr _to;
    private DatagramExtension _asked;

    /// <summary>Reads some messages.</summary>
    /// <returns>Data: there may be more; Empty; Closed: the application has closed its descriptor.</returns>
    public ReadResult Read(SocketId id, IActorRef stack)
    {
        for (int reads = 0, bytes = 0; reads < ReadsPerTurn && bytes < BytesPerTurn; reads++)
        {
            var result = link.Read(pool, BufferPool.HeaderRoom, out var payload, out var to, out var asked);
            if (result != ReadResult.Data)
                return result;
            bytes += payload!.Length;
            if (_isPending || options.Corks || (asked.Parts & DatagramParts.More) != 0)
                Append(id, stack, payload, to, asked);
            else
                Send(id, stack, payload, to, asked);
        }

        return ReadResult.Data;
    }

    /// <summary>Sets UDP_CORK. What was written before is not concerned; once it is off, what has waited leaves.</summary>
    public LinkAnswer Cork(SocketId id, IActorRef stack, SetOptionRequest request)
    {
        link.ExpectInput();
        for (var turn = 0; turn < MostTurnsWritten && Read(id, stack) == ReadResult.Data; turn++)
        {
        }

        var error = options.Set(request, out _);
        if (!options.Corks && _isPending)
            End(id, stack);
        return error == StackError.None ? request.Done() : request.Failed(error);
    }

    /// <summary>A datagram that would be too long is dropped as a whole, as in Linux (udp_flush_pending_frames). The application hears of it afterwards.</summary>
    private void Append(SocketId id, IActorRef stack, PacketBuffer payload, in Sockaddr to, in DatagramExtension asked)
    {
        _bytes ??= new ArrayBufferWriter<byte>();
        if (!_isPending)
            (_isPending, _to, _asked) = (true, to, asked);
        var isTooLong = _bytes.WrittenCount + payload.Length > DatagramHeader.MaxPayload;
        if (!isTooLong)
            _bytes.Write(payload.Span);
        payload.Release();
        if (isTooLong)
        {
            Clear();
            link.WriteError((int)StackError.MessageTooLong);
        }
        else if (!options.Corks && (asked.Parts & DatagramParts.More) == 0)
            End(id, stack);
    }

    private void End(SocketId id, IActorRef stack)
    {
        var payload = pool.Rent(_bytes!.WrittenCount, BufferPool.HeaderRoom);
        _bytes.WrittenSpan.CopyTo(payload.Append(_bytes.WrittenCount));
        Send(id, stack, payload, _to, _asked);
        Clear();
    }

    private void Clear()
    {
        _isPending = false;
        _bytes = null;
    }

    private static void Send(SocketId id, IActorRef stack, PacketBuffer payload, in Sockaddr to, in DatagramExtension asked) =>
        stack.Tell(SendDatagram.Of(id, payload, to.Family == SocketFamily.Unspecified ? null : to.Endpoint, OptionsTo(to, asked)));

    /// <summary>A link-local destination's scope says by which interface, where nothing else does.</summary>
    private static UdpSendOptions OptionsTo(in Sockaddr to, in DatagramExtension asked)
    {
        var options = DatagramDelivery.Asked(asked);
        return to.Scope == 0 || options.Interface is not null || !options.Source.IsUnspecified ? options : options with { Interface = InterfaceNumbers.IndexOf((int)Math.Min(to.Scope, int.MaxValue)) };
    }
}
