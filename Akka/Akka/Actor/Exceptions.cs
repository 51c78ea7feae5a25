namespace Akka.Actor;

/// <summary>An actor could not be made: its constructor or <c>PreStart</c> threw.</summary>
public class ActorInitializationException : AkkaException
{
    public ActorInitializationException() { }

    public ActorInitializationException(string message) : base(message) { }

    public ActorInitializationException(string message, Exception cause) : base(message, cause) { }

    public ActorInitializationException(IActorRef actor, string message, Exception cause = null) : base(message, cause) => Actor = actor;

    /// <summary>The actor that could not be made; may be null.</summary>
    public IActorRef Actor { get; set; }

    public override string ToString() => Actor is null ? base.ToString() : $"{Actor}: {base.ToString()}";
}

/// <summary>An actor's thread was interrupted.</summary>
public class ActorInterruptedException : AkkaException
{
    public ActorInterruptedException(string message = null, Exception cause = null) : base(message, cause) { }
}

/// <summary>An actor received <see cref="Kill"/>.</summary>
public class ActorKilledException : AkkaException
{
    public ActorKilledException() { }

    public ActorKilledException(string message) : base(message) { }
}

/// <summary>No actor answered to the path that was to be resolved.</summary>
public class ActorNotFoundException : AkkaException
{
    public ActorNotFoundException() { }

    public ActorNotFoundException(string message, Exception innerException = null) : base(message, innerException) { }
}

/// <summary>No answer to an <c>Ask</c> came in time.</summary>
public class AskTimeoutException : AkkaException
{
    public AskTimeoutException(string message) : base(message) { }
}

/// <summary>An actor did not handle the <see cref="Terminated"/> of an actor that it watched.</summary>
public class DeathPactException : AkkaException
{
    public DeathPactException(IActorRef deadActor)
        : base($"Monitored actor [{deadActor}] terminated") => DeadActor = deadActor;

    public IActorRef DeadActor { get; }
}

public class IllegalActorNameException : AkkaException
{
    public IllegalActorNameException(string message) : base(message) { }
}

public class IllegalActorStateException : AkkaException
{
    public IllegalActorStateException(string message) : base(message) { }
}

/// <summary>A name for a child is malformed or taken.</summary>
public class InvalidActorNameException : AkkaException
{
    public InvalidActorNameException(string message) : base(message) { }

    public InvalidActorNameException(string message, Exception innerException) : base(message, innerException) { }
}

/// <summary>The message sent was null.</summary>
public class InvalidMessageException : AkkaException
{
    public InvalidMessageException() : this("Message is null.") { }

    public InvalidMessageException(string message) : base(message) { }
}

/// <summary>A logger did not start.</summary>
public class LoggerInitializationException : AkkaException
{
    public LoggerInitializationException() { }

    public LoggerInitializationException(string message) : base(message) { }

    public LoggerInitializationException(string message, Exception cause = null) : base(message, cause) { }
}

/// <summary>The fresh instance of a restarted actor failed in its constructor or in <c>PostRestart</c>.</summary>
public class PostRestartException : ActorInitializationException
{
    public PostRestartException(IActorRef actor, Exception cause, Exception originalCause)
        : base(actor, $"Exception post restart ({(originalCause is null ? "null" : originalCause.GetType().ToString())})", cause) =>
        OriginalCause = originalCause;

    /// <summary>What caused the restart.</summary>
    public Exception OriginalCause { get; }
}

/// <summary><c>PreRestart</c> of a failed actor threw.</summary>
public class PreRestartException : ActorInitializationException
{
    public PreRestartException(IActorRef actor, Exception restartException, Exception cause, object optionalMessage)
        : base(
            actor,
            $"Exception in preRestart ({(cause is null ? "null" : cause.GetType().ToString())}, "
            + $"{(optionalMessage is null ? "null" : optionalMessage.GetType().ToString())})",
            cause)
    {
        RestartException = restartException;
        OptionalMessage = optionalMessage;
    }

    /// <summary>What <c>PreRestart</c> threw.</summary>
    public Exception RestartException { get; }

    /// <summary>The message during which the actor failed; may be null.</summary>
    public object OptionalMessage { get; }
}

/// <summary>The scheduler has been stopped.</summary>
public sealed class SchedulerException : AkkaException
{
    public SchedulerException(string message) : base(message) { }
}

/// <summary>A bounded stash is full.</summary>
public class StashOverflowException : AkkaException
{
    public StashOverflowException(string message, Exception cause = null) : base(message, cause) { }
}
