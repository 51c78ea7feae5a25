using Tapwire.Actors.Settings;
using Tapwire.Links.Protocol;
using Tapwire.Names;

namespace Tapwire.Actors.Names;

/// <summary>The resolver's part of a driver's status.</summary>
internal static class ResolverStatuses
{
    public static NamesStatus Of(DnsSettings settings, Resolver resolver, ResolverCounters counters) => new(
        [.. settings.ToOptions().Routes.SelectMany(static route => route.Servers.Select(server => (route.Domain.IsRoot ? "" : $"{route.Domain}=") + NameServerSpec.Format(server)))],
        [.. settings.Search.Select(static domain => domain.ToString())], counters.Sent, counters.Answered, counters.FromCache, counters.TimedOut, counters.Busy, resolver.Cached.Count)
    {
        Refused =
        [
            new("malformed", counters.Malformed),
            new("noResponse", counters.NoResponses),
            new("wrongId", counters.WrongIds),
            new("wrongQuestion", counters.WrongQuestions),
            new("caseLost", counters.CasesLost),
            new("serverFailure", counters.ServerFailures),
            new("useless", counters.Useless),
        ],
    };
}
