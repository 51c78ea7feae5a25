namespace Akka.Actor;

/// <summary>Where an actor is deployed.</summary>
public abstract class Scope : IEquatable<Scope>
{
    public static readonly LocalScope Local = LocalScope.Instance;

    public abstract Scope WithFallback(Scope other);

    public abstract Scope Copy();

    public virtual bool Equals(Scope other) => other is not null && GetType() == other.GetType();

    public override bool Equals(object obj) => Equals(obj as Scope);

    public override int GetHashCode() => GetType().GetHashCode();
}

/// <summary>In this process.</summary>
public class LocalScope : Scope
{
    private LocalScope() { }

    public static LocalScope Instance { get; } = new();

    public override Scope WithFallback(Scope other) => Instance;

    public override Scope Copy() => Instance;
}

internal sealed class NoScopeGiven : Scope
{
    public static readonly NoScopeGiven Instance = new();

    private NoScopeGiven() { }

    public override Scope WithFallback(Scope other) => other;

    public override Scope Copy() => Instance;
}
