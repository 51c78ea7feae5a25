using Tapwire.Messages;

namespace Tapwire.Actors;

/// <summary>Times the turns of a stack actor, and the output of a turn: it leaves after actors that were given bytes have had time to answer.</summary>
/// <remarks>
/// A request that has arrived goes to its socket's owner. If output waits until the owner has answered, the answer carries the acknowledgement of the request,
/// and a short connection needs three frames in each direction.
/// <code>
///   a frame, a socket call        the scheduler, at a deadline
///             │ Poll.Now                 │ Poll.Due
///             ▼                          ▼
///       digest the frames, tell the sockets' owners what they mean
///             │                                │
///             │ nobody was given bytes         │ somebody was: 1 round; 3 if the connection has no owner yet
///             │                                ▼
///             │              behind everybody who has been told something: Poll.Answered ──┐
///             │                                │                        ▲                  │ rounds are left
///             ▼                                │ none is left           └──────────────────┘
///           output  ◄──────────────────────────┘
/// </code>
/// While a poll goes round, no other one is posted, and one that arrives is skipped: the circulating poll ends with all output.
/// </remarks>
internal sealed class PollTurns
{
    /// <summary>Rounds after bytes were given to a socket's owner, which answers when it receives them.</summary>
    public const int ForAnswer = 1;

    /// <summary>Rounds after bytes have arrived for a connection not accepted yet: the listener makes an actor, which attaches, and then answers.</summary>
    public const int ForAccept = 3;

    private bool _isPosted;
    private bool _isGoingRound;
    private int _rounds;

    /// <summary>There is work for a turn.</summary>
    /// <returns>True: the caller must post <see cref="Poll.Now"/>, because none is on its way.</returns>
    public bool TryPost()
    {
        if (_isPosted || _isGoingRound)
            return false;
        _isPosted = true;
        return true;
    }

    /// <summary>A poll has arrived.</summary>
    /// <returns>False: another poll is going round and does all the work.</returns>
    public bool TryBegin(Poll poll)
    {
        if (ReferenceEquals(poll, Poll.Answered))
        {
            _isGoingRound = false;
            _rounds--;
            return true;
        }

        if (ReferenceEquals(poll, Poll.Now))
            _isPosted = false;
        return !_isGoingRound;
    }

    /// <summary>Makes output wait for a number of rounds.</summary>
    public void Await(int rounds) => _rounds = Math.Max(_rounds, rounds);

    /// <summary>The received frames have been processed.</summary>
    /// <returns>True: <see cref="Poll.Answered"/> must go round before output. False: output may leave.</returns>
    public bool TryGoRound()
    {
        _isGoingRound = _rounds > 0;
        return _isGoingRound;
    }

    /// <summary>A fault has interrupted the turn. A poll that was not posted because of it would be awaited for ever; one too many does no harm.</summary>
    public void Reset() => (_isPosted, _isGoingRound, _rounds) = (false, false, 0);

    /// <summary>Output leaves, so no round is awaited any more.</summary>
    public void Output() => _rounds = 0;
}
