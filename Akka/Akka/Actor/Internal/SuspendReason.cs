namespace Akka.Actor.Internal;

/// <summary>Why an actor waits for children to stop.</summary>
public abstract class SuspendReason
{
    /// <summary>The actor does nothing else until they have stopped.</summary>
    public interface IWaitingForChildren;

    /// <summary>A user stopped a child.</summary>
    public class UserRequest : SuspendReason
    {
        private UserRequest() { }

        public static UserRequest Instance { get; } = new();
    }

    /// <summary>The actor is being restarted.</summary>
    public class Recreation : SuspendReason, IWaitingForChildren
    {
        public Recreation(Exception cause) => Cause = cause;

        public Exception Cause { get; }
    }

    /// <summary>The actor is being made once more, after its first making failed.</summary>
    public class Creation : SuspendReason, IWaitingForChildren;

    /// <summary>The actor is stopping.</summary>
    public class Termination : SuspendReason
    {
        private Termination() { }

        public static Termination Instance { get; } = new();
    }
}
