namespace Tapwire.Stack.Udp;

/// <summary>The queues of a datagram socket.</summary>
/// <param name="Sending">Bytes of datagrams that wait for room on the egress queue.</param>
/// <param name="Received">Bytes of memory that undelivered datagrams hold.</param>
/// <param name="Dropped">Datagrams that were dropped because the receive queue was full, since the socket was opened (SO_RXQ_OVFL).</param>
public readonly record struct UdpQueues(int Sending, int Received, long Dropped);
