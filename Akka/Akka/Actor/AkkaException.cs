namespace Akka.Actor;

/// <summary>The base of the exceptions that the actor runtime itself throws.</summary>
public abstract class AkkaException : Exception
{
    protected AkkaException()
    {
    }

    protected AkkaException(string message, Exception cause = null)
        : base(message, cause)
    {
    }

    /// <summary>The exception that led to this one, if any.</summary>
    protected Exception Cause => InnerException;
}
