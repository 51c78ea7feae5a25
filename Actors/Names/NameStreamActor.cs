using System.Buffers.Binary;
using Akka.Actor;
using Tapwire.Actors.Services;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Stack.Buffers;

namespace Tapwire.Actors.Names;

/// <summary>Questions for names by TCP, each behind its length (RFC 1035, 4.2.2; RFC 7766). They are answered one after the other.</summary>
internal sealed class NameStreamActor(NameServiceContext context) : StreamServiceActor(context.Sockets.Stack)
{
    /// <summary>A name, a type, and what EDNS(0) adds.</summary>
    private const int LongestQuestion = 4096;

    private byte[] _received = [];
    private byte[] _answer = [];
    private int _unconsumed;
    private bool _isAsking;
    private bool _endOfStream;

    public static Props Props(NameServiceContext context) => Akka.Actor.Props.Create(() => new NameStreamActor(context));

    protected override void OnRead(ReadReady ready)
    {
        var queue = default(BufferQueue);
        queue.EnqueueChain(ready.Chain);
        while (queue.TryDequeue(out var buffer))
        {
            // The window opens for the next question when this one is complete: no station has more here than its window.
            _unconsumed += buffer.Length;
            _received = [.. _received, .. buffer.Span];
            buffer.Release();
        }

        _endOfStream |= ready.EndOfStream;
        Go();
    }

    protected override void OnRoom() => Go();

    protected override void OnOther(object message)
    {
        switch (message)
        {
            case NameAnswered answered:
                _isAsking = false;
                _answer = [(byte)(answered.Message.Length >> 8), (byte)answered.Message.Length, .. answered.Message];
                Go();
                break;
            // Of an actor that has answered, and of one that has failed.
            case Terminated when _isAsking:
                CloseConnection();
                break;
            case Terminated:
                break;
            default:
                Unhandled(message);
                break;
        }
    }

    protected override bool TryForget()
    {
        (_received, _answer, _unconsumed, _endOfStream) = ([], [], 0, false);
        // An answer that is still to come would be taken for that of the next connection.
        return !_isAsking;
    }

    private void Go()
    {
        while (!_isAsking)
        {
            if (_answer.Length > Room)
                return;
            if (_answer.Length > 0)
            {
                var data = context.Sockets.Pool.Rent(_answer.Length);
                _answer.CopyTo(data.Append(_answer.Length));
                _answer = [];
                Send(data);
            }

            if (!TryAsk())
                return;
        }
    }

    /// <returns>False: there is no question, or there will be none.</returns>
    private bool TryAsk()
    {
        var length = _received.Length < 2 ? 0 : BinaryPrimitives.ReadUInt16BigEndian(_received);
        if (_received.Length < 2 || (_received.Length < 2 + length && length <= LongestQuestion))
        {
            Consumed(_unconsumed);
            _unconsumed = 0;
            if (_endOfStream)
            {
                _endOfStream = false;
                Finish();
            }

            return false;
        }

        if (length is > LongestQuestion or 0)
        {
            CloseConnection();
            return false;
        }

        var isQuestion = DnsRequest.TryParse(_received.AsSpan(2, length), out var request, out var refusal);
        _received = _received[(2 + length)..];
        if (!isQuestion && refusal is null)
        {
            CloseConnection();
            return false;
        }

        _isAsking = true;
        if (refusal is not null)
            Self.Tell(new NameAnswered(default, refusal));
        else
            NameQuestionActor.Ask(Context, context, request!, default, isStream: true);
        return true;
    }
}
