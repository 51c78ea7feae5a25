using Akka.Actor;
using Akka.Event;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Udp;

namespace Tapwire.Actors;

// Options, addresses, pings, status: the conversations of Messages/Options.cs, Ping.cs and Status.cs.
public sealed partial class StackActor
{
    /// <summary>Connections that a status answer lists at most; the total is always right.</summary>
    internal const int StatusConnections = 1000;

    private readonly Dictionary<ushort, PendingPing> _pings = [];
    private IcmpEchoSocket? _echo;
    private ushort _pingSequence;

    private bool IsOfManagement(object message)
    {
        switch (message)
        {
            case SetOption set:
                SetOption(set);
                return true;
            case GetOption get:
                GetOption(get);
                return true;
            case GetTcpInfo get:
                Sender.Tell(new TcpInfoAnswer(_sockets.Find(get.Id)?.Socket is TcpSocket tcp ? tcp.Info : null));
                return true;
            case GetStatus:
                Sender.Tell(Status());
                return true;
            case Ping ping:
                SendPing(ping);
                return true;
            case PingTimedOut timedOut:
                GiveUp(timedOut.Sequence);
                return true;
            case AddAddress add:
                AnswerAddress(_stack.AddAddress(add.Prefix, Now));
                return true;
            case RemoveAddress remove:
                AnswerAddress(_stack.RemoveAddress(remove.Address, Now) ? StackError.None : StackError.AddressNotAvailable);
                return true;
            default:
                return false;
        }
    }

    private void GetOption(GetOption get)
    {
        var value = 0;
        var error = _sockets.Find(get.Id) is { } entry ? SocketOptions.Get(entry.Socket, get.Option, out value) : StackError.NotConnected;
        Sender.Tell(new OptionAnswer(error, value));
    }

    private void AnswerAddress(StackError error)
    {
        Sender.Tell(new AddressAnswer(error));
        PostPoll();
    }

    private void GiveUp(ushort sequence)
    {
        if (_pings.Remove(sequence, out var ping))
            ping.Asker.Tell(new PingAnswer(StackError.TimedOut, ping.Request.Destination, TimeSpan.Zero, 0, ping.Request.Size));
    }

    private void SetOption(SetOption set)
    {
        if (_sockets.Find(set.Id) is not { } entry)
        {
            Sender.Tell(new OptionAnswer(StackError.NotConnected, 0));
            return;
        }

        var tcp = entry.Socket as TcpSocket;
        var before = tcp?.SendRoom ?? 0;
        Sender.Tell(new OptionAnswer(SocketOptions.Set(entry.Socket, set.Option, set.Value, Now), set.Value));
        if (tcp is not null && tcp.SendRoom > before)
            entry.Owner.Tell(WriteDone.Of(tcp.SendRoom - before));
        PostPoll();
    }

    private void SendPing(Ping request)
    {
        var error = StackError.None;
        if (_echo is null)
            error = _stack.Icmp.Open(out _echo);
        var sequence = ++_pingSequence;
        if (_pings.ContainsKey(sequence))
            error = StackError.NoBufferSpace;
        if (_echo is not null && error == StackError.None)
            error = _echo.Send(request.Destination, sequence, new byte[request.Size], Now);
        if (error != StackError.None)
        {
            Sender.Tell(new PingAnswer(error, request.Destination, TimeSpan.Zero, 0, request.Size));
            return;
        }

        var timedOut = new PingTimedOut(sequence);
        Timers.StartSingleTimer(timedOut, timedOut, request.Timeout);
        _pings.Add(sequence, new PendingPing(request, Sender));
        PostPoll();
    }

    /// <summary>The actor ends, and with it the timers that would have answered.</summary>
    private void RefusePings()
    {
        foreach (var ping in _pings.Values)
            ping.Asker.Tell(Refusal.Of(ping.Request), ActorRefs.NoSender);
    }

    private void TellEchoes(IcmpEchoSocket echo)
    {
        while (echo.TryReceive(out var result))
        {
            if (!_pings.Remove(result.Sequence, out var ping))
                continue;
            Timers.Cancel(new PingTimedOut(result.Sequence));
            ping.Asker.Tell(new PingAnswer(result.Error, result.From, result.RoundTrip, result.HopLimit, result.Bytes));
        }
    }

    private StackStatus Status()
    {
        var connections = new List<ConnectionStatus>();
        foreach (var entry in _sockets.All())
        {
            if (connections.Count == StatusConnections)
                break;
            var status = entry.Socket switch
            {
                TcpSocket tcp => StatusOf(tcp),
                TcpListener listener => new ConnectionStatus("Listen", listener.Local, default, 0, 0),
                UdpSocket udp => new ConnectionStatus("Udp", udp.Local, udp.Remote, 0, 0),
                _ => null,
            };
            if (status is not null)
                connections.Add(status);
        }

        var counters = new Dictionary<string, long>();
        foreach (var (name, value) in _stack.Counters.All())
        {
            if (value != 0)
                counters[name] = value;
        }

        if (_frameQueueDrops != 0)
            counters["FrameQueueDrops"] = _frameQueueDrops;
        if (_engineFaults != 0)
            counters["EngineFaults"] = _engineFaults;
        if (_crossings != 0)
            counters["ShardCrossings"] = _crossings;
        return new StackStatus([.. _stack.Addresses], connections, _stack.Tcp.Count, counters, _context.Pool.Rented, Now - Instant.Zero);
    }

    private sealed record PendingPing(Ping Request, IActorRef Asker);

    /// <summary>A timer → the actor: and its own key.</summary>
    private sealed record PingTimedOut(ushort Sequence) : IDeadLetterSuppression;

    private static ConnectionStatus StatusOf(TcpSocket tcp)
    {
        var info = tcp.Info;
        return new ConnectionStatus(info.State.ToString(), tcp.Local, tcp.Remote, info.SendQueue, info.ReceiveQueue, info.State == TcpState.SynSent ? null : info);
    }
}
