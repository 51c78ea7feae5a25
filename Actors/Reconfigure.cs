using Tapwire.Actors.Proxy;
using Tapwire.Actors.Settings;

namespace Tapwire.Actors;

/// <summary>
/// The host → DriverActor, once that is ready: these settings hold from now on, as far as a driver that runs can take them (<see cref="SettingKeys"/>). Answered by
/// <see cref="Reconfigured"/> when all of it has been done, or with a failure if the driver is starting, stopping, or still busy with the last one.
/// </summary>
/// <param name="LinkUsers">The ids of the users whose names the settings have.</param>
public sealed record Reconfigure(DriverSettings Settings, IReadOnlyCollection<uint> LinkUsers);

/// <summary>DriverActor → the host.</summary>
/// <param name="Settings">What the driver has now: what could not be done is as it was.</param>
/// <param name="Done">What has changed, each in a few words.</param>
/// <param name="Problems">What has not, and why; a sentence each.</param>
public sealed record Reconfigured(DriverSettings Settings, IReadOnlyList<string> Done, IReadOnlyList<string> Problems)
{
    /// <summary>What the driver had when it was asked: what the host has last heard of, and what commands have changed since. Null: of a part of the driver.</summary>
    public DriverSettings? Before { get; init; }
}

/// <summary>DriverActor → ProxyActor: ports, bounds and users of these settings. Answered by <see cref="Reconfigured"/>, whose settings have the ports that are open.</summary>
internal sealed record ReconfigureProxy(DriverSettings Settings);

/// <summary>ProxyActor → the actors of its ports: what new connections are served with. No answer.</summary>
internal sealed record UseContext(ProxyContext Context);

/// <summary>DriverActor → LinkActor: bounds, and who is let in. Answered by <see cref="LinkReconfigured"/>.</summary>
internal sealed record ReconfigureLink(LinkSettings Settings, IReadOnlyCollection<uint> Users);

/// <summary>LinkActor → DriverActor: done, or, with a <paramref name="Problem"/>, nothing has changed.</summary>
internal sealed record LinkReconfigured(string? Problem);
