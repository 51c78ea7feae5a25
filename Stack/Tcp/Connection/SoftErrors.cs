namespace Tapwire.Stack.Tcp.Connection;

/// <summary>Errors that do not end the connection (RFC 9293, 3.9.1.8): what ICMP has said, and that many retransmissions were in vain.</summary>
internal struct SoftErrors
{
    /// <summary>The last error since data was acknowledged, or None.</summary>
    public StackError Last { get; private set; }

    /// <summary>Why the connection ends if it times out (RFC 9293, 3.9.2.2).</summary>
    public readonly StackError ReasonForTimeout => Last == StackError.None ? StackError.TimedOut : Last;

    /// <summary>ICMP has said something: the application learns of it.</summary>
    public void Report(TcpConnection connection, StackError error)
    {
        Last = error;
        connection.Raise(SocketEvents.ErrorReported);
    }

    /// <summary>R1 of RFC 9293, 3.8.3, is reached: the application learns of it, unless ICMP has given a better reason.</summary>
    public void ReportRetries(TcpConnection connection)
    {
        if (Last == StackError.None)
            Report(connection, StackError.TimedOut);
    }

    /// <summary>Data is acknowledged: the path works.</summary>
    public void Clear() => Last = StackError.None;

    /// <summary>Takes what ICMP has said (SO_ERROR). A time-out that has not come yet stays.</summary>
    public StackError Take()
    {
        if (Last == StackError.TimedOut)
            return StackError.None;
        var error = Last;
        Last = StackError.None;
        return error;
    }
}
