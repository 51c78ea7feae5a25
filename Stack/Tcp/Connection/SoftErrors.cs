namespace Tapwire.Stack.Tcp.Connection;

/// <summary>Errors that do not end the connection (RFC 9293, 3.9.1.8): ICMP errors, and many retransmissions without an acknowledgement.</summary>
internal struct SoftErrors
{
    /// <summary>The last error since data was acknowledged, or None.</summary>
    public StackError Last { get; private set; }

    /// <summary>The error of a connection that ends by a time-out (RFC 9293, 3.9.2.2).</summary>
    public readonly StackError ReasonForTimeout => Last == StackError.None ? StackError.TimedOut : Last;

    /// <summary>Records an ICMP error, and reports it to the application.</summary>
    public void Report(TcpConnection connection, StackError error)
    {
        Last = error;
        connection.Raise(SocketEvents.ErrorReported);
    }

    /// <summary>Reports to the application that R1 (RFC 9293, 3.8.3) is reached, unless ICMP has given a more precise error.</summary>
    public void ReportRetries(TcpConnection connection)
    {
        if (Last == StackError.None)
            Report(connection, StackError.TimedOut);
    }

    /// <summary>Forgets the error: an acknowledgement of data shows that the path works.</summary>
    public void Clear() => Last = StackError.None;

    /// <summary>Takes the ICMP error for SO_ERROR. A time-out that has only been announced stays.</summary>
    public StackError Take()
    {
        if (Last == StackError.TimedOut)
            return StackError.None;
        var error = Last;
        Last = StackError.None;
        return error;
    }
}
