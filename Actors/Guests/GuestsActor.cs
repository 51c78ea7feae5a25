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
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly GuestsContext _context;
    private readonly Dictionary<IActorRef, IWire> _guests = [];
    private long _added;

    public GuestsActor(GuestsContext context)
    {
        _context = context;
        Receive<AddGuest>(add => Sender.Tell(Add(add)));
        Receive<Terminated>(gone => _guests.Remove(gone.ActorRef));
        Receive<Stopping>(_ => Stop());
    }

    public static Props Props(GuestsContext context) => Akka.Actor.Props.Create(() => new GuestsActor(context));

    protected override SupervisorStrategy SupervisorStrategy() => Supervision.Stop;

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
            Receive<Terminated>(gone =>
            {
                guests.Left(gone);
                if (guests.IsDone)
                    Context.Stop(Self);
            });
            Receive<Stopping>(_ => { });
        });
    }

    private GuestAnswer Add(AddGuest add)
    {
        if (GuestAddress.Problem(add.Address, _context.Driver.Settings) is { } problem)
            return add.Refuse(problem.Error, problem.Reason);
        if (add.Wire is TapWire device && _guests.Values.OfType<TapWire>().Any(device.IsSameDevice))
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
        _guests.Add(Context.Watch(guest), add.Wire);
        return GuestAnswer.Done;
    }
}
