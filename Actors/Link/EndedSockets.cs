using Tapwire.Links.Protocol;
using Tapwire.Messages;

namespace Tapwire.Actors.Link;

/// <summary>
/// Sockets that have ended while an application holds their descriptor. The driver's end of the pair is closed, so nothing tells when the application closes its own:
/// the oldest are forgotten when there are more than <see cref="Limit"/>. An application that asks about one that is forgotten gets EBADF, and its library answers by what
/// the descriptor itself shows.
/// </summary>
internal sealed class EndedSockets
{
    /// <summary>About 200 bytes each.</summary>
    public const int Limit = 16_384;

    private readonly Dictionary<ulong, IEndedSocket> _sockets = [];
    private readonly Queue<ulong> _oldestFirst = new();

    public void Add(ulong handle, IEndedSocket socket)
    {
        _sockets[handle] = socket;
        _oldestFirst.Enqueue(handle);
        if (_oldestFirst.Count > Limit)
            _sockets.Remove(_oldestFirst.Dequeue());
    }

    /// <returns>Null: no such socket is known.</returns>
    public LinkAnswer? Answer(LinkSocketRequest request) => _sockets.TryGetValue(request.Handle, out var socket) ? socket.Answer(request) : null;
}
