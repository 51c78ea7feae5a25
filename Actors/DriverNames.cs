using Akka.Actor;

namespace Tapwire.Actors;

/// <summary>Names of a driver's actors.</summary>
internal static class DriverNames
{
    /// <summary>The first shard's actors have the plain names.</summary>
    public static string Of(string name, int shard) => shard == 0 ? name : $"{name}-shard{shard}";

    /// <summary>The name, or one like it while a child has it that serves its last connections.</summary>
    public static string Free(IActorContext parent, string name)
    {
        var free = name;
        for (var i = 2; !parent.Child(free).IsNobody(); i++)
            free = $"{name}-{i}";
        return free;
    }
}
