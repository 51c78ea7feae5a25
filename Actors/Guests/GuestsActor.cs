using Akka.Actor;
using Akka.Event;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Wires;

namespace Tapwire.Actors.Guests;

/// <summary>What the actors of guests work with.</summary>
/// <param name="Sockets">The driver's stacks, one for each shard. Guests are distributed among them.</param>
internal sealed record GuestsContext(DriverContext Driver, IReadOnlyList<SocketContext> Sockets);

/// <summary>
/// The guests of a driver: hosts, mostly network namespaces, whose whole traffic goes by the driver's sockets. Each is isolated from the others, and from the driver's own stack, so
/// that their addresses never meet.
/// </summary>
internal sealed class GuestsActor : ReceiveActor
{
    /// <summary>A guest that is ending does not answer. Whoever asks for all of them waits longer.</summary>
    private static readonly TimeSpan StatusPatience = TimeSpan.FromSeconds(2);

    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly GuestsContext _context;
    private readonly Dictionary<IActorRef, AddGuest> _guests = [];

    // The last guest of each lifeline.
    private readonly Dictionary<IActorRef, IActorRef> _latest = [];

    // Of the driver; guests that come later join them, too.
    private readonly List<JoinCapture> _captures = [];
    private long _added;

    public GuestsActor(GuestsContext context)
    {
        _context = context;
        Receive<AddGuest>(add => Sender.Tell(Add(add)));
        Receive<PublishPort>(Publish);
        Receive<Terminated>(gone => Forget(gone.ActorRef));
        Receive<Stopping>(_ => Stop());
        Receive<GetStatus>(_ => StatusesAsync([.. _guests.Keys]).PipeTo(Sender, Self));
        Receive<JoinCapture>(join =>
        {
            _captures.Add(join);
            TellAll(join);
        });
        Receive<LeaveCapture>(leave =>
        {
            _captures.RemoveAll(join => join.Feed == leave.Feed);
            TellAll(leave);
        });
    }

    public static Props Props(GuestsContext context) => Akka.Actor.Props.Create(() => new GuestsActor(context));

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.Stop;

    private static async Task<GuestsStatus> StatusesAsync(IReadOnlyList<IActorRef> guests)
    {
        var asked = await Task.WhenAll(guests.Select(static async guest =>
        {
            try
            {
                return await guest.Ask<GuestStatus>(GetStatus.Instance, StatusPatience);
            }
            catch (AskTimeoutException)
            {
                return null;
            }
        }));
        return new GuestsStatus([.. asked.OfType<GuestStatus>()]);
    }

    private void TellAll(object message)
    {
        foreach (var guest in _guests.Keys)
            guest.Tell(message);
    }

    private void Publish(PublishPort publish)
    {
        if (_latest.TryGetValue(publish.Lifeline, out var guest))
            guest.Forward(publish);
        else
            Sender.Tell(new GuestAnswer(LinkErrno.NoEntry, "There is no guest whose port could be published; AddGuest comes first."));
    }

    private void Forget(IActorRef guest)
    {
        if (_guests.Remove(guest, out var added) && _latest.TryGetValue(added.Lifeline, out var latest) && latest.Equals(guest))
            _latest.Remove(added.Lifeline);
    }

    /// <summary>Each guest has a time-out of its own.</summary>
    private void Stop()
    {
        var guests = new Dismissal(Context);
        if (guests.IsDone)
        {
            Context.Stop(Self);
            return;
        }

        Become(() =>
        {
            Receive<AddGuest>(add => Sender.Tell(add.Refuse((int)StackError.ConnectionAborted, "The driver is stopping.")));
            Receive<PublishPort>(_ => Sender.Tell(new GuestAnswer((int)StackError.ConnectionAborted, "The driver is stopping.")));
            Receive<Terminated>(gone =>
            {
                guests.Left(gone);
                if (guests.IsDone)
                    Context.Stop(Self);
            });
            Receive<Stopping>(_ => { });
            Receive<GetStatus>(_ => Sender.Tell(new GuestsStatus([])));
            Receive<JoinCapture>(_ => { });
            Receive<LeaveCapture>(TellAll);
        });
    }

    private GuestAnswer Add(AddGuest add)
    {
        if (GuestAddress.Problem(add.Addresses, add.Wire.Mtu, _context.Driver.Settings) is { } problem)
            return add.Refuse(problem.Error, problem.Reason);
        if (add.Wire is TapWire device && _guests.Values.Select(static guest => guest.Wire).OfType<TapWire>().Any(device.IsSameDevice))
            return add.Refuse(LinkErrno.Busy, "The TUN device is a guest's already.");
        var most = _context.Driver.Settings.Guests.MaxGuests;
        if (_guests.Count >= most)
        {
            _log.Warning("Refused a guest: {MaxGuests} are there (tapwire.guests.max-guests)", most);
            return add.Refuse(LinkErrno.Busy, $"The driver has {most} guests already; end one, or raise tapwire.guests.max-guests.");
        }

        var shard = (int)(_added % _context.Sockets.Count);
        var guest = Context.ActorOf(GuestActor.Props(_context.Driver, _context.Driver.Shards[shard], _context.Sockets[shard], add)
            .WithDispatcher(_context.Sockets[shard].Dispatcher), $"{++_added}");
        _guests.Add(Context.Watch(guest), add);
        _latest[add.Lifeline] = guest;
        foreach (var join in _captures)
            guest.Tell(join);
        return GuestAnswer.Done;
    }
}
