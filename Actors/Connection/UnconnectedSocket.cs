using Akka.Actor;
using Akka.Event;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;

namespace Tapwire.Actors.Connection;

/// <summary>
/// An application's socket before it has a connection: it can be bound, and it can begin to connect or to listen. The actor drops this part once the socket is
/// connected, has failed, or listens.
/// <para>States, by the request that waits for the stack: idle, binding, connecting.</para>
/// </summary>
internal sealed class UnconnectedSocket(ConnectionActor actor, StreamLink link)
{
    /// <summary>Calls that may wait at one time; another one gets EALREADY.</summary>
    private const int MostWaiters = 64;

    // The bind or connect that waits for the stack; null: none.
    private LinkSocketRequest? _request;

    // Gets the answer to the request; null once it has it.
    private IActorRef? _session;

    // Calls of connect() that found the socket connecting and wait for the outcome; null: none.
    private List<Question>? _waiters;

    // What the stack keeps for this socket: a reserved port, a handshake under way. Released if the actor ends first.
    private SocketId? _binding;
    private SocketId? _socket;

    /// <returns>False: the message means nothing here.</returns>
    public bool Receive(object message) => _request switch
    {
        null => WhileIdle(message),
        BindRequest bind => WhileBinding(message, bind),
        var connect => WhileConnecting(message, (ConnectRequest)connect),
    };

    /// <summary>The actor ends: releases what the stack keeps, and answers the request that waits.</summary>
    public void Release()
    {
        Unbind();
        if (_socket is { } socket)
            actor.Stack.Tell(new Abort(socket));
        if (_request is { } request)
            Answer(request.Failed(StackError.ConnectionAborted));
        AnswerWaiters(StackError.ConnectionAborted);
    }

    private bool WhileIdle(object message)
    {
        if (message is not LinkCall call)
            return Ends(message);
        switch (call.Request)
        {
            case BindRequest { Local.Family: SocketFamily.V6, Local.Endpoint.Address.IsV4: true } bind when actor.Properties.IsV6Only:
                actor.Reply(bind.Failed(StackError.InvalidArgument));
                break;
            case BindRequest bind when _binding is null:
                var sharing = actor.Properties.SharingFor(call.Peer);
                actor.MoveToShardOf(bind.Local.Endpoint.Port, sharing);
                actor.Stack.Tell(new Bind(bind.Local.Endpoint, sharing));
                Await(bind);
                break;
            case BindRequest bind:
                actor.Reply(bind.Failed(StackError.InvalidArgument));
                break;
            case ConnectRequest { AwaitHandshake: true } connect:
                actor.Reply(connect.Failed(StackError.NotConnected));
                break;
            case ConnectRequest { Remote.Family: SocketFamily.Unspecified } connect:
                actor.Reply(connect.Connected(actor.Properties.LocalName));
                break;
            case ConnectRequest { Remote.Endpoint.Address.IsV4: true } connect when actor.Properties.IsV6Only:
                actor.Reply(connect.Failed(StackError.NetworkUnreachable));
                break;
            case ConnectRequest connect:
                actor.Properties.SetError(StackError.None);
                actor.Stack.Tell(new Connect(connect.Remote.Endpoint, TakeBinding(), actor.Properties.Options) { Zone = connect.Remote.Zone });
                Await(connect);
                break;
            case ListenRequest listen:
                actor.HandOver(AcceptLink.From(link), listen, TakeBinding());
                break;
            case CloseRequest close:
                Unbind(); // before the answer, which says that the port is free
                actor.AnswerUnconnected(close);
                break;
            case SetOptionRequest { Level: LinkOption.IpProtoIpV6, Name: LinkOption.IpV6V6Only } set when _binding is not null:
                actor.Reply(set.Failed(StackError.InvalidArgument));
                break;
            case LinkSocketRequest request:
                actor.AnswerUnconnected(request);
                break;
        }

        return true;
    }

    private bool WhileBinding(object message, BindRequest bind)
    {
        switch (message)
        {
            case Bound bound:
                _binding = bound.Id;
                actor.Properties.SetLocal(bound.Local, bound.Interface);
                Answer(bind.Bound(actor.Properties.LocalName));
                BackToIdle();
                break;
            case BindFailed failed:
                Answer(bind.Failed(failed.Error));
                BackToIdle();
                break;
            default:
                actor.Stash.Stash();
                break;
        }

        return true;
    }

    private bool WhileConnecting(object message, ConnectRequest connect)
    {
        switch (message)
        {
            case Connecting connecting:
                _socket = connecting.Id;
                actor.Properties.SetEnds(connecting.Local, connect.Remote.Endpoint, connecting.Interface);
                if (connect.NoWait && !connecting.IsEarly)
                    Answer(connect.InProgress());
                return true;
            case Connected connected:
                _socket = null; // the actor's from now on
                link.Discard(connect.Discard);
                actor.Establish(connected);
                Answer(connect.Connected(actor.Properties.LocalName));
                AnswerWaiters(StackError.AlreadyConnected);
                return true;
            case ConnectFailed failed:
                FailToConnect(connect, failed.Error);
                AnswerWaiters(failed.Error);
                return true;
            case LinkCall { Request: ConnectRequest { AwaitHandshake: true } waiter } when _waiters is not { Count: >= MostWaiters }:
                (_waiters ??= []).Add(new Question(waiter, actor.Asker));
                return true;
            case LinkCall { Request: ConnectRequest again }:
                actor.Reply(again.Failed(LinkErrno.AlreadyConnecting));
                return true;
            case LinkCall { Request: BindRequest or ListenRequest } call:
                actor.Reply(call.Request.Failed(StackError.InvalidArgument));
                return true;
            case LinkCall call:
                actor.AnswerUnconnected((LinkSocketRequest)call.Request);
                return true;
            default:
                return Ends(message);
        }
    }

    /// <summary>The application has closed its descriptor, or the driver stops.</summary>
    private bool Ends(object message)
    {
        switch (message)
        {
            case LinkReady ready:
                if ((ready.Readiness & Readiness.HangUp) != 0 && link.State() is ReadResult.Closed or ReadResult.Reset)
                    actor.Stop();
                return true;
            case Stopping:
                if (_socket is { } socket)
                    actor.Stack.Tell(new Close(socket));
                _socket = null;
                actor.StopInOrder();
                return true;
            default:
                return false;
        }
    }

    private void FailToConnect(ConnectRequest connect, StackError error)
    {
        ConnectionActor.DebugLog?.Debug("Connection to {Remote} failed: {Error}", connect.Remote, error);
        var isAnswered = connect.NoWait && _socket is not null;
        _socket = null;
        if (isAnswered)
        {
            actor.FailConnecting(error);
            return;
        }

        // The client had filled the pair so that it was not writable. An unconnected socket is writable again.
        link.Discard(connect.Discard);
        Answer(connect.Failed(error));
        BackToIdle();
    }

    private void BackToIdle()
    {
        _request = null;
        actor.Stash.UnstashAll();
    }

    private SocketId? TakeBinding()
    {
        var binding = _binding;
        _binding = null;
        return binding;
    }

    private void Unbind()
    {
        if (TakeBinding() is { } binding)
            actor.Stack.Tell(new Unbind(binding));
    }

    private void Await(LinkSocketRequest request)
    {
        _request = request;
        _session = actor.Asker;
    }

    private void AnswerWaiters(StackError outcome)
    {
        foreach (var waiter in _waiters ?? [])
            waiter.Answer(waiter.Request.Failed(outcome));
        _waiters = null;
    }

    private void Answer(LinkAnswer answer)
    {
        _session?.Tell(new LinkReply(answer));
        _session = null;
    }
}
