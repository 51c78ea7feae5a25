using Akka.Actor;
using Tapwire.Names.Mdns;
using Tapwire.Stack;

namespace Tapwire.Actors.Names;

/// <summary>An interface with Ethernet: its engine of multicast DNS, and its socket.</summary>
/// <param name="index">The stack's.</param>
internal sealed class WatchedLink(byte index, string name, MdnsLink engine)
{
    public byte Index => index;

    public string Name => name;

    public MdnsLink Engine => engine;

    /// <summary>Null while there can be none.</summary>
    public IActorRef? Socket { get; set; }

    /// <summary>Why there could be no socket, which is told once.</summary>
    public StackError Problem { get; set; }

    public string StateText => Socket is null ? "failed" : engine.State switch
    {
        MdnsState.Off => "resolving",
        var state => state.ToString().ToLowerInvariant(),
    };
}
