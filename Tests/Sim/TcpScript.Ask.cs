using Tapwire.Stack;

namespace Tapwire.Tests.Sim;

/// <content>What a script asks for.</content>
internal sealed partial class TcpScript
{
    private void Ask(string verb, string argument, string second)
    {
        DrainEvents();
        switch (verb)
        {
            case "connected":
                Check(_events.HasFlag(SocketEvents.Connected), "Connected was not raised");
                break;
            case "writable":
                Check(_events.HasFlag(SocketEvents.Writable), "Writable was not raised");
                break;
            case "readable":
                Check(_events.HasFlag(SocketEvents.Readable), "Readable was not raised");
                break;
            case "urgent":
                Check(_events.HasFlag(SocketEvents.Urgent), "Urgent was not raised");
                break;
            case "error-reported":
                Check(_events.HasFlag(SocketEvents.ErrorReported), "ErrorReported was not raised");
                Check(Socket.Info.SoftError.ToString() == argument, $"the error is {Socket.Info.SoftError}");
                break;
            case "mark":
                Check(Socket.UrgentMark == Number(argument), $"the mark is {Socket.UrgentMark} bytes away");
                break;
            case "closed":
                Check(_events.HasFlag(SocketEvents.Closed), "Closed was not raised");
                Check(Socket.Error.ToString().Equals(argument, StringComparison.OrdinalIgnoreCase), $"the reason is {Socket.Error}");
                break;
            case "no-event":
                Check(_events == SocketEvents.None, $"there are events: {_events}");
                break;
            case "state":
                Check(Socket.State.ToString() == argument, $"the state is {Socket.State}");
                break;
            case "cwnd":
                Check(Socket.Info.CongestionWindow == Number(argument), $"cwnd is {Socket.Info.CongestionWindow}");
                break;
            case "ssthresh":
                Check(Socket.Info.SlowStartThreshold == Number(argument), $"ssthresh is {Socket.Info.SlowStartThreshold}");
                break;
            case "counter":
                var value = _host.Counters.All().Single(counter => counter.Name == argument).Value;
                Check(value == Number(second), $"{argument} is {value}");
                break;
            case "time-waits":
                Check(_host.Tcp.TimeWaitCount == Number(argument), $"there are {_host.Tcp.TimeWaitCount}");
                break;
            case "sockets":
                Check(_host.Tcp.Count == Number(argument), $"there are {_host.Tcp.Count}");
                break;
            case "embryos":
                Check(_host.Tcp.EmbryonicCount == Number(argument), $"there are {_host.Tcp.EmbryonicCount}");
                break;
            case "idle":
                Check(_host.PollAt == Instant.Never, $"the next deadline is {_host.PollAt - _now} from now");
                break;
            default:
                throw Failure($"There is no verb '{verb}'.");
        }

        if (verb is "connected" or "writable" or "readable" or "urgent" or "error-reported" or "closed" or "no-event")
            _events = SocketEvents.None;
    }
}
