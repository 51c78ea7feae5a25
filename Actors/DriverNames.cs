using Akka.Actor;

namespace Tapwire.Actors;

/// <summary>Names of a driver's actors.</summary>
internal static class DriverNames
{
    /// <summary>The name of an actor on a shard; plain on the first.</summary>
    public static string Of(string name, int shard) => shard == 0 ? name : $"{name}-shard{shard}";

    /// <summary>The name, or a variant of it while a child that serves its last connections still has the name.</summary>
    public static string Free(IActorContext parent, string name)
    {
        var free = name;
        for (var i = 2; !parent.Child(free).IsNobody(); i++)
            free = $"{name}-{i}";
        return free;
    }
}
