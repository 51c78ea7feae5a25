namespace Tapwire.Messages;

/// <summary>
/// Names a socket of one stack actor. Indexes are reused. The generation distinguishes a request about an earlier socket from one about the present one, so
/// that a late message is ignored instead of affecting another socket.
/// </summary>
public readonly record struct SocketId(int Index, uint Generation);
