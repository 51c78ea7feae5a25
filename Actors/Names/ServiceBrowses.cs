using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Names.Mdns;

namespace Tapwire.Actors.Names;

/// <summary>Who has services looked for, and what the links have told of them so far.</summary>
internal sealed class ServiceBrowses
{
    private readonly Dictionary<long, Browse> _browses = [];

    /// <param name="number">As in <see cref="MdnsLink.Browse"/>.</param>
    /// <param name="links">That are browsed, one or more.</param>
    public void Begin(long number, IActorRef asker, int links) => _browses.Add(number, new Browse(asker) { Left = links });

    /// <summary>A link has told what it has. After the last one the asker is answered.</summary>
    public void Take(MdnsBrowsed browsed, string interfaceName, byte index)
    {
        if (!_browses.TryGetValue(browsed.Number, out var browse))
            return;
        browse.Found.AddRange(browsed.Services.Select(service => new FoundService(interfaceName, index, service)));
        if (browsed.Result != LookupResult.Found)
            browse.Result = browsed.Result;
        if (--browse.Left > 0)
            return;
        _browses.Remove(browsed.Number);
        browse.Asker.Tell(new ServicesFound(browse.Found.Count > 0 ? LookupResult.Found : browse.Result, browse.Found));
    }

    /// <summary>Nobody will be told any more.</summary>
    public void Fail()
    {
        foreach (var browse in _browses.Values)
            browse.Asker.Tell(ServicesFound.Failed(LookupResult.ServerFailure));
        _browses.Clear();
    }

    private sealed class Browse(IActorRef asker)
    {
        public IActorRef Asker => asker;

        public List<FoundService> Found { get; } = [];

        public LookupResult Result { get; set; } = LookupResult.Found;

        /// <summary>Links that have not told.</summary>
        public required int Left { get; set; }
    }
}
