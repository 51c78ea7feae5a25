namespace Tapwire.Tests.Hostile;

/// <summary>Something that no hostile input may bring about.</summary>
internal sealed class HostileException(string message, Exception? inner = null) : Exception(message, inner)
{
    public static void Require(bool holds, string otherwise)
    {
        if (!holds)
            throw new HostileException(otherwise);
    }
}
