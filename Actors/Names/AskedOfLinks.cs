using Akka.Actor;
using Tapwire.Messages;
using Tapwire.Names.Mdns;

namespace Tapwire.Actors.Names;

/// <summary>A question that some links have still to answer.</summary>
internal sealed class AskedOfLinks(LinksQuestion question, IActorRef asker)
{
    public LinksQuestion Question => question;

    public IActorRef Asker => asker;

    /// <summary>Links that have not answered.</summary>
    public int Left { get; set; }

    public MulticastAnswer? Best { get; set; }
}
