using System.Diagnostics.CodeAnalysis;
using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Capture;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;

namespace Tapwire.Actors;

/// <summary>The wires of a stack actor, one for each interface: the conversations of Messages/Wire.cs and Messages/Interface.cs.</summary>
internal sealed class StackWires
{
    /// <summary>Frames of one wire that are processed before the next wire has its turn.</summary>
    private const int Share = 16;

    private readonly StackDesk _desk;
    private readonly StackWire?[] _byIndex = new StackWire?[NetworkStack.MaxInterfaces];
    private readonly List<StackWire> _all = [];

    // The wire whose turn it is, and the frames left of its turn.
    private int _turn;
    private int _share = Share;
    private long _droppedBefore;

    public StackWires(StackDesk desk)
    {
        _desk = desk;
        for (var i = 0; i < desk.Context.Wires.Count; i++)
        {
            var (tap, cuts) = desk.Context.Wires[i];
            Add(desk.Stack.Interfaces[i], tap, new EgressCost(cuts));
        }
    }

    /// <summary>True when received frames wait for a turn.</summary>
    public bool HaveReceived => _all.Exists(static wire => wire.Received.Count > 0);

    /// <summary>True when frames wait to be written.</summary>
    public bool HaveFrames => _all.Exists(static wire => wire.Interface.HasFrames);

    /// <summary>Received frames for which there was no room.</summary>
    public long Dropped => _droppedBefore + _all.Sum(static wire => wire.Dropped);

    /// <summary>Tells of name servers that routers have named since the last call.</summary>
    public void TellNames(IActorRef driver)
    {
        foreach (var wire in _all)
        {
            if (wire.Interface.NamesVersion == wire.NamesTold)
                continue;
            wire.NamesTold = wire.Interface.NamesVersion;
            driver.Tell(new AdvertisedNames(wire.Interface.Options.Name, [.. wire.Interface.NameServers], [.. wire.Interface.SearchDomains]));
        }
    }

    /// <returns>False: the message belongs to another conversation.</returns>
    public bool Handle(object message, IActorRef sender)
    {
        switch (message)
        {
            case WireUp up:
                if (_desk.Stack.Interfaces.FirstOrDefault(each => each.Index == up.Interface) is { } interfaceUp)
                    _desk.Stack.WireUp(interfaceUp, _desk.Now);
                _desk.PostPoll();
                return true;
            case WireDown down:
                _byIndex[down.Interface]?.Interface.WireDown();
                return true;
            case AttachInterface attach:
                sender.Tell(Attach(attach) is { } reason ? new InterfaceRefused(attach.Options.Name, reason) : new InterfaceAttached(attach.Options.Name));
                return true;
            case DetachInterface detach:
                Detach(detach.Name);
                sender.Tell(new InterfaceDetached(detach.Name));
                return true;
            case AddAddress add:
                Answer(sender, Owner(add) is { } owner ? _desk.Stack.AddAddress(owner, add.Prefix, _desk.Now) : StackError.AddressNotAvailable);
                return true;
            case RemoveAddress remove:
                Answer(sender, _desk.Stack.RemoveAddress(remove.Address, _desk.Now) ? StackError.None : StackError.AddressNotAvailable);
                return true;
            case AddRoute add:
                Answer(sender, Find(add.Interface) is { } by ? _desk.Stack.AddRoute(add.Route.Destination, add.Route.Gateway, by.Interface, add.Route.Metric) : StackError.NetworkUnreachable);
                return true;
            case RemoveRoute remove:
                Answer(sender, Find(remove.Interface) is { } from && _desk.Stack.RemoveRoute(remove.Destination, from.Interface, remove.Metric) ? StackError.None : StackError.NetworkUnreachable);
                return true;
            case ChangeNeighbor change:
                Answer(sender, Change(change));
                return true;
            case FlushNeighbors flush:
                Find(flush.Interface)?.Interface.FlushNeighbors();
                Answer(sender, StackError.None);
                return true;
            case DeprecateAddress deprecate:
                Answer(sender, _desk.Stack.Deprecate(deprecate.Address, deprecate.IsDeprecated) ? StackError.None : StackError.AddressNotAvailable);
                return true;
            case LimitMtu limit:
                Answer(sender, Limit(limit));
                return true;
            default:
                return false;
        }
    }

    private StackError Change(ChangeNeighbor change)
    {
        if (Find(change.Interface) is not { } on)
            return StackError.AddressNotAvailable;
        if (change.Hardware is { } hardware)
            return on.Interface.SetNeighbor(change.Address, hardware, _desk.Now);
        return on.Interface.ForgetNeighbor(change.Address) ? StackError.None : StackError.AddressNotAvailable;
    }

    /// <summary>Has the tap actors open their wires.</summary>
    public void Open()
    {
        foreach (var wire in _all)
            wire.Tap.Tell(new OpenWire(wire.Interface.Index));
    }

    /// <summary>True when the sender of a frame is a wire's actor; otherwise it is a sibling shard.</summary>
    public bool IsTap(IActorRef sender) => _all.Exists(wire => wire.Tap.Equals(sender));

    /// <summary>The medium of the interface of a frame.</summary>
    public Medium MediumOf(PacketBuffer frame) => _byIndex[frame.Interface]?.Interface.Options.Medium ?? Medium.Ethernet;

    /// <summary>The interface of a frame, for a capture; null: it is gone.</summary>
    public CapturePlace? PlaceOf(PacketBuffer frame) => _byIndex[frame.Interface]?.Place;

    /// <summary>Queues a frame from a wire, and takes it over.</summary>
    public void Enqueue(PacketBuffer frame)
    {
        if (_byIndex[frame.Interface] is not { } wire)
        {
            _droppedBefore++;
            frame.Release();
        }
        else if (wire.TryEnqueue(frame, _desk.Captures))
        {
            _desk.PostPoll();
        }
    }

    /// <summary>Takes the next frame to be processed. The wires take turns of a few frames.</summary>
    public bool TryDequeue([NotNullWhen(true)] out PacketBuffer? frame)
    {
        for (var tried = 0; tried <= _all.Count; tried++)
        {
            if (_turn < _all.Count && _share > 0 && _all[_turn].Received.TryDequeue(out frame))
            {
                _share--;
                return true;
            }

            _turn = _turn + 1 < _all.Count ? _turn + 1 : 0;
            _share = Share;
        }

        frame = null;
        return false;
    }

    /// <summary>A wire has room for more frames.</summary>
    /// <returns>True: output has waited for the room.</returns>
    public bool AddCredit(FramesWritten written) => _byIndex[written.Interface]?.AddCredit(written.Count) == true;

    /// <summary>Sends frames to the wires within their credit.</summary>
    /// <returns>True: at least one frame was sent.</returns>
    public bool SendQueued()
    {
        var any = false;
        for (var i = 0; i < _all.Count; i++)
            any |= _all[i].SendQueued(_desk.Captures);
        return any;
    }

    /// <summary>Releases all waiting frames when the actor ends.</summary>
    public void Clear()
    {
        foreach (var wire in _all)
            wire.Clear();
    }

    private StackWire? Find(string name) => _all.Find(wire => wire.Interface.Options.Name == name);

    private NetworkInterface? Owner(AddAddress add) => add.Interface is { } name
        ? Find(name)?.Interface
        : (_all.Find(wire => wire.Interface.Addresses.Any(own => own.Contains(add.Prefix.Address))) ?? _all.FirstOrDefault())?.Interface;

    private StackError Limit(LimitMtu limit)
    {
        if (Find(limit.Interface) is not { } wire)
            return StackError.NoSuchDevice;
        wire.Interface.MtuLimit = limit.Mtu;
        return StackError.None;
    }

    private void Answer(IActorRef asker, StackError error)
    {
        asker.Tell(new AddressAnswer(error));
        _desk.PostPoll();
    }

    private StackWire Add(NetworkInterface added, IActorRef tap, EgressCost cost)
    {
        var context = _desk.Context;
        var wire = new StackWire(added, tap, cost, context.EgressCredit, new FrameQueue(context.QueueFrames, context.QueueBytes));
        _byIndex[added.Index] = wire;
        _all.Add(wire);
        return wire;
    }

    /// <returns>Null, or the reason of a refusal.</returns>
    private string? Attach(AttachInterface attach)
    {
        var stack = _desk.Stack;
        if (stack.AddInterface(attach.Options) is not { } added)
            return $"The stack has no room for the interface {attach.Options.Name}: it has {NetworkStack.MaxInterfaces} already.";
        if (stack.Configure(added, attach.Addresses, attach.Routes, _desk.Now) is { } problem)
        {
            stack.RemoveInterface(added, _desk.Now);
            added.DropFrames();
            return problem;
        }

        Add(added, attach.Tap, new EgressCost(attach.CutsSuperFrames)).Tap.Tell(new OpenWire(added.Index));
        _desk.PostPoll();
        return null;
    }

    private void Detach(string name)
    {
        if (Find(name) is not { } wire)
            return;
        _desk.Stack.RemoveInterface(wire.Interface, _desk.Now);
        wire.SendQueued(_desk.Captures);
        wire.Clear();
        _droppedBefore += wire.Dropped;
        _byIndex[wire.Interface.Index] = null;
        _all.Remove(wire);
        _desk.PostPoll();
    }
}
