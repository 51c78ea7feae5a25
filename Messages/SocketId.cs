namespace Tapwire.Messages;

/// <summary>
/// Names a socket of one stack actor. Indexes are used again; the generation tells a request about an earlier socket from one about the present one,
/// so that a message that comes late is ignored rather than applied to a stranger.
/// </summary>
public readonly record struct SocketId(int Index, uint Generation);
