using Tapwire.Stack;
using Tapwire.Stack.Interfaces;

namespace Tapwire.Actors.Sockets;

/// <summary>Logs the addresses that come and go by what routers say. Those of settings, commands and leases are logged by whoever gives them.</summary>
internal sealed class AutoconfigurationLog(StackDesk desk)
{
    private readonly List<AutoconfiguredAddress> _taken = [];
    private int _told;

    /// <summary>Takes what has happened since the last call; one advertisement is one line.</summary>
    /// <param name="tells">False: another shard says it.</param>
    public void Tell(bool tells)
    {
        if (_told == desk.Stack.ConfigurationVersion)
            return;
        _told = desk.Stack.ConfigurationVersion;
        foreach (var each in desk.Stack.Interfaces)
        {
            _taken.Clear();
            while (each.TryTakeAutoconfigured(out var taken))
                _taken.Add(taken);
            if (!tells)
                continue;
            Tell("{Interface}: has {Addresses} of a router's prefix", each, isGone: false);
            Tell("{Interface}: {Addresses} has gone, which was of a router's prefix", each, isGone: true);
        }
    }

    /// <summary>Anybody on the link may be a router: the number of lines is limited.</summary>
    private void Tell(string template, NetworkInterface on, bool isGone)
    {
        var addresses = _taken.Where(each => each.IsGone == isGone).Select(static each => each.Address).ToList();
        if (addresses.Count > 0)
            desk.Refusals.Inform(desk.Log, template, on, string.Join(", ", addresses));
    }
}
