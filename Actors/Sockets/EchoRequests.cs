using Akka.Actor;
using Akka.Event;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors.Sockets;

/// <summary>The echo requests of a stack actor: the conversation of Messages/Ping.cs. All share one socket, which is made for the first of them.</summary>
/// <param name="actor">The owner of the timers.</param>
internal sealed class EchoRequests(StackDesk desk, IWithTimers actor)
{
    private readonly Dictionary<ushort, Pending> _pending = [];
    private IcmpEchoSocket? _socket;
    private ushort _sequence;

    /// <returns>False: the message belongs to another conversation.</returns>
    public bool Handle(object message, IActorRef sender)
    {
        switch (message)
        {
            case Ping ping:
                Send(ping, sender);
                return true;
            case PingTimedOut timedOut:
                GiveUp(timedOut.Sequence);
                return true;
            default:
                return false;
        }
    }

    /// <summary>Passes answers on to the requests' senders.</summary>
    public void Tell(IcmpEchoSocket echo)
    {
        while (echo.TryReceive(out var result))
        {
            if (!_pending.Remove(result.Sequence, out var ping))
                continue;
            actor.Timers.Cancel(new PingTimedOut(result.Sequence));
            ping.Asker.Tell(new PingAnswer(result.Error, result.From, result.RoundTrip, result.HopLimit, result.Bytes));
        }
    }

    /// <summary>Refuses all pending requests: the actor ends, and with it the timers that would have answered them.</summary>
    public void Refuse()
    {
        foreach (var ping in _pending.Values)
            ping.Asker.Tell(Refusal.Of(ping.Request), ActorRefs.NoSender);
    }

    private void Send(Ping request, IActorRef sender)
    {
        var error = StackError.None;
        if (_socket is null)
            error = desk.Stack.Icmp.Open(out _socket);
        var sequence = ++_sequence;
        if (_pending.ContainsKey(sequence))
            error = StackError.NoBufferSpace;
        if (_socket is not null && error == StackError.None)
            error = desk.TryFindSource(request.Zone, request.Destination, out var source) ? _socket.Send(request.Destination, sequence, new byte[request.Size], desk.Now, source) : StackError.NoSuchDevice;
        if (error != StackError.None)
        {
            sender.Tell(new PingAnswer(error, request.Destination, TimeSpan.Zero, 0, request.Size));
            return;
        }

        var timedOut = new PingTimedOut(sequence);
        actor.Timers.StartSingleTimer(timedOut, timedOut, request.Timeout);
        _pending.Add(sequence, new Pending(request, sender));
        desk.PostPoll();
    }

    private void GiveUp(ushort sequence)
    {
        if (_pending.Remove(sequence, out var ping))
            ping.Asker.Tell(new PingAnswer(StackError.TimedOut, ping.Request.Destination, TimeSpan.Zero, 0, ping.Request.Size));
    }

    private sealed record Pending(Ping Request, IActorRef Asker);

    /// <summary>A timer → the actor: no answer in time. The message is the timer's key as well.</summary>
    private sealed record PingTimedOut(ushort Sequence) : IDeadLetterSuppression;
}
