using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Links;

/// <summary>Who is at the other end of a control connection, as the kernel noted when it was made (SO_PEERCRED).</summary>
public readonly record struct PeerCredentials(int ProcessId, uint UserId, uint GroupId)
{
    /// <summary>
    /// The connection was made for this process to pass on, so that whoever has it now may be another: a child that has given up what its parent was.
    /// </summary>
    public bool IsPassedOn { get; init; }

    internal static unsafe PeerCredentials Of(int descriptor)
    {
        Credentials credentials;
        var length = (uint)sizeof(Credentials);
        Errors.Check(getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length), "getsockopt SO_PEERCRED");
        return new(credentials.ProcessId, credentials.UserId, credentials.GroupId);
    }

    public override string ToString() => $"process {ProcessId} of user {UserId}";
}
