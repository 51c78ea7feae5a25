using Tapwire.Messages;

namespace Tapwire.Actors;

/// <summary>When a stack actor has its turn, and when the output of that turn leaves: after whoever was told of bytes has had the time to answer.</summary>
/// <remarks>
/// A request that has come goes to its socket's owner. If output waits until the owner has answered, the answer takes the acknowledgement of the request along, and a short
/// connection needs three frames in each direction.
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
/// While a poll goes round, no other one is posted, and one that comes is passed over: the poll that goes round ends with the output of all.
/// </remarks>
internal sealed class PollTurns
{
    /// <summary>Rounds after bytes were given to a socket's owner: it answers when it has them.</summary>
    public const int ForAnswer = 1;

    /// <summary>Rounds after bytes have come for a connection that nobody has accepted yet: the listener makes an actor, that attaches, that answers.</summary>
    public const int ForAccept = 3;

    private bool _isPosted;
    private bool _isGoingRound;
    private int _rounds;

    /// <summary>There is work for a turn.</summary>
    /// <returns>True: <see cref="Poll.Now"/> is to be posted; none is on its way yet.</returns>
    public bool TryPost()
    {
        if (_isPosted || _isGoingRound)
            return false;
        _isPosted = true;
        return true;
    }

    /// <summary>A poll has come.</summary>
    /// <returns>False: another one goes round, and does all.</returns>
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

    /// <summary>Output is to wait for so many rounds.</summary>
    public void Await(int rounds) => _rounds = Math.Max(_rounds, rounds);

    /// <summary>The frames are digested.</summary>
    /// <returns>True: <see cref="Poll.Answered"/> is to go round before output. False: output may leave.</returns>
    public bool TryGoRound()
    {
        _isGoingRound = _rounds > 0;
        return _isGoingRound;
    }

    /// <summary>A fault has interrupted whatever was going on: a poll that was to be posted and was not would be awaited for ever. One too many does nothing.</summary>
    public void Reset() => (_isPosted, _isGoingRound, _rounds) = (false, false, 0);

    /// <summary>Output leaves: nobody waits any more.</summary>
    public void Output() => _rounds = 0;
}
