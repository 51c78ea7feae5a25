using Tapwire.Names;
using Tapwire.Names.Mdns;

namespace Tapwire.Messages;

/// <summary>ResolverActor → NamesActor → MdnsActor: ask the links for a name's records. Answered by <see cref="LinksAnswer"/>.</summary>
/// <param name="Round">The asker's, as <paramref name="Number"/>: both come back with the answer.</param>
/// <param name="Type"><see cref="DnsType.A"/>, <see cref="DnsType.Aaaa"/> or <see cref="DnsType.Pointer"/>.</param>
public sealed record LinksQuestion(int Round, long Number, DnsName Name, DnsType Type);

/// <summary>MdnsActor → ResolverActor: what the first link to know has said, or that none knows.</summary>
public sealed record LinksAnswer(int Round, long Number, MulticastAnswer Answer);

/// <summary>LinkActor → NamesActor → MdnsActor: look for services on the links for a time. Answered by <see cref="ServicesFound"/> when it is over.</summary>
/// <param name="Type">A type in .local; <see cref="MdnsNames.AllServices"/>: the types themselves.</param>
public sealed record BrowseServices(DnsName Type, TimeSpan Time);

/// <summary>A service, and where it has been heard.</summary>
/// <param name="Interface">The interface's name and the stack's index of it.</param>
public sealed record FoundService(string Interface, byte Index, ServiceInstance Service);

/// <summary>MdnsActor → LinkActor: what the links have told.</summary>
/// <param name="Result"><see cref="LookupResult.Found"/>, even if there are none; NoServer: no link is asked; Busy; ServerFailure.</param>
public sealed record ServicesFound(LookupResult Result, IReadOnlyList<FoundService> Services)
{
    public static ServicesFound Failed(LookupResult result) => new(result, []);
}

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
