using Tapwire.Names;
using Tapwire.Names.Mdns;

namespace Tapwire.Messages;

/// <summary>ResolverActor → NamesActor → MdnsActor: ask the links for a name's records. Answered by <see cref="LinksAnswer"/>.</summary>
/// <param name="Round">The asker's, as <paramref name="Number"/>: both come back with the answer.</param>
/// <param name="Type"><see cref="DnsType.A"/>, <see cref="DnsType.Aaaa"/> or <see cref="DnsType.Pointer"/>.</param>
public sealed record LinksQuestion(int Round, long Number, DnsName Name, DnsType Type);

/// <summary>MdnsActor → ResolverActor: what the first link to know has said, or that none knows.</summary>
public sealed record LinksAnswer(int Round, long Number, MulticastAnswer Answer);

/// <summary>DriverActor → NamesActor → MdnsActor: publish this on all links with Ethernet, in place of what was published. No answer.</summary>
/// <param name="Identity">Null: nothing is published.</param>
public sealed record PublishName(MdnsIdentity? Identity);

/// <summary>DriverActor → NamesActor → MdnsActor: an interface is about to go; take back what is published there. Answered by <see cref="LinkLeft"/>, after the last message has gone to the stack.</summary>
public sealed record LinkLeaves(string Interface);

/// <summary>The answer to <see cref="LinkLeaves"/>.</summary>
public sealed class LinkLeft
{
    public static readonly LinkLeft Instance = new();

    private LinkLeft()
    {
    }
}
