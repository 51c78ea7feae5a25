using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Stack;

namespace Tapwire.Actors.Sockets;

/// <summary>Who is told of a stack's interfaces and of their addresses.</summary>
internal sealed class InterfaceWatchers(StackDesk desk)
{
    private readonly HashSet<IActorRef> _watchers = [];
    private int _told;

    /// <returns>False: the message belongs to another conversation, too.</returns>
    public bool Handle(object message, IActorRef sender)
    {
        switch (message)
        {
            case WatchInterfaces { IsOn: true }:
                _told = desk.Stack.ConfigurationVersion;
                _watchers.Add(sender);
                sender.Tell(Names(desk.Stack));
                return true;
            case WatchInterfaces:
                _watchers.Remove(sender);
                return true;
            case GetInterfaces:
                sender.Tell(Names(desk.Stack));
                return true;
            case WireUp up:
                foreach (var watcher in _watchers)
                    watcher.Tell(new LinkUp(up.Interface));
                return false;
            default:
                return false;
        }
    }

    /// <summary>Tells of what has changed since the last call.</summary>
    public void Tell()
    {
        if (_watchers.Count == 0 || _told == desk.Stack.ConfigurationVersion)
            return;
        _told = desk.Stack.ConfigurationVersion;
        var names = Names(desk.Stack);
        foreach (var watcher in _watchers)
            watcher.Tell(names);
    }

    private static InterfaceNames Names(NetworkStack stack) => new([.. stack.Interfaces.Select(static each => new InterfaceName(each.Index, each.Options with { Mtu = each.MtuLimit }, [.. each.Addresses]))]);
}
