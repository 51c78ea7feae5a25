using Tapwire.Stack;
using Tapwire.Stack.Multicast;

namespace Tapwire.Messages;

/// <summary>DatagramActor → StackActor: change a socket's membership in a group. Answered by <see cref="OptionAnswer"/>, in order with the answers about options.</summary>
public sealed record ChangeMembership(SocketId Id, MembershipChange Change);

/// <summary>DatagramActor → StackActor: datagrams to groups leave by the interface that the request means. Answered by <see cref="OptionAnswer"/>, in order with the answers about options.</summary>
/// <param name="Of">Null: by the one that the route says.</param>
public sealed record ChooseGroupInterface(SocketId Id, MembershipChange? Of);

/// <summary>DatagramActor, whose socket is not bound yet → StackActor: which interface does a request about a group mean? Answered by <see cref="GroupInterfaceFound"/>.</summary>
public sealed record FindGroupInterface(MembershipChange Change);

/// <summary>StackActor → DatagramActor: the interface's index, or why there is none.</summary>
public sealed record GroupInterfaceFound(StackError Error, byte Interface);
