namespace Akka;

/// <summary>Says that something has completed, where there is no other value to say it with.</summary>
public sealed class Done
{
    public static readonly Done Instance = new();

    private Done() { }
}
