using System.Globalization;
using Tapwire.Stack.Tcp;

namespace Tapwire.Links.Protocol;

/// <summary>Something in a driver's status that an operator would want to know first. Status, log and page say it in the same words.</summary>
/// <param name="Cause">One of the constants below.</param>
/// <param name="Subject">Who or what it is about; empty: the driver.</param>
/// <param name="Text">A sentence.</param>
public sealed record StatusProblem(string Cause, string Subject, string Text)
{
    /// <summary>A wire is down.</summary>
    public const string Wire = "wire";

    /// <summary>A station on a network does not answer ARP or neighbour discovery.</summary>
    public const string Neighbor = "neighbor";

    /// <summary>A WireGuard peer does not answer.</summary>
    public const string Peer = "peer";

    /// <summary>A listener's program does not accept as fast as connections come.</summary>
    public const string Backlog = "backlog";

    /// <summary>The process had no descriptor left.</summary>
    public const string Descriptors = "descriptors";

    /// <summary>Peers do not read.</summary>
    public const string ReceiverWindow = "receiver window";

    /// <summary>The path loses so many packets that it limits the sender; a loss now and then is how TCP finds out what a path can carry.</summary>
    public const string Loss = "loss";

    /// <summary>Peers are not heard.</summary>
    public const string Timeout = "timeout";

    /// <summary>Of one kind; more are counted in one line.</summary>
    private const int MostOfAKind = 8;

    /// <summary>How long a refused descriptor is told of.</summary>
    private static readonly TimeSpan Recent = TimeSpan.FromMinutes(1);

    /// <summary>A peer's first message may be on its way, or have been lost: WireGuard repeats it after 5 s.</summary>
    private static readonly TimeSpan PeerPatience = TimeSpan.FromSeconds(6);

    /// <summary>All of a status, what concerns most comes first.</summary>
    public static IReadOnlyList<StatusProblem> AllOf(DriverStatus status)
    {
        ArgumentNullException.ThrowIfNull(status);
        var all = new List<StatusProblem>();
        AddSome(all, Wire, status.Interfaces.Where(static each => !each.Wire.Up), static each => (each.Name, $"Wire {each.Name} is down."));
        if (status.Descriptors is { Count: var count, Since: { } since } && since < Recent)
        {
            all.Add(new StatusProblem(Descriptors, "", string.Create(CultureInfo.InvariantCulture,
                $"The driver had no descriptor left {count} times, the last one {since.TotalSeconds:0} s ago: its limit on open files is {status.Descriptors.Limit}.")));
        }

        AddSome(all, Backlog, status.FullListeners, static each => ($"{each.Local}", $"The listener at {each.Local} is full: its program does not accept, and {each.Waiting} connections wait."));
        AddSome(all, Peer, status.Interfaces.SelectMany(static each => each.Wire.Peers.Where(static peer => peer.UnansweredFor > PeerPatience).Select(peer => (Name: each.Name, Key: peer.PublicKey))),
            static each => ($"{each.Key} {each.Name}", $"WireGuard peer {each.Key} on {each.Name} does not answer."));
        AddSome(all, Neighbor, status.Interfaces.SelectMany(static each => each.Neighbors.Where(static neighbor => neighbor.State is "FAILED" or "INCOMPLETE").Select(neighbor => (each.Name, neighbor.Address))),
            static each => ($"{each.Address} {each.Name}", $"{each.Address} on {each.Name} does not answer: no such station, or it is off."));
        AddLimit(all, status, ReceiverWindow, SenderLimit.ReceiverWindow, "waits for a peer that does not read (receiver window)", "wait for peers that do not read (receiver window)");
        AddLimit(all, status, Loss, SenderLimit.Loss, "is slow because its path loses packets (loss)", "are slow because their paths lose packets (loss)");
        AddLimit(all, status, Timeout, SenderLimit.Timeout, "hears nothing from its peer (timeout)", "hear nothing from their peers (timeout)");
        return all;
    }

    private static void AddSome<T>(List<StatusProblem> all, string cause, IEnumerable<T> some, Func<T, (string Subject, string Text)> text)
    {
        var number = 0;
        foreach (var each in some)
        {
            if (++number > MostOfAKind)
                continue;
            var (subject, words) = text(each);
            all.Add(new StatusProblem(cause, subject, words));
        }

        if (number > MostOfAKind)
            all.Add(new StatusProblem(cause, "more", string.Create(CultureInfo.InvariantCulture, $"And {number - MostOfAKind} more of these ({cause}).")));
    }

    private static void AddLimit(List<StatusProblem> all, DriverStatus status, string cause, SenderLimit limit, string one, string several)
    {
        if (status.Limits.GetValueOrDefault(limit) is > 0 and var count)
            all.Add(new StatusProblem(cause, "", count == 1 ? $"1 connection {one}." : string.Create(CultureInfo.InvariantCulture, $"{count} connections {several}.")));
    }
}
