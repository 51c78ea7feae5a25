using Akka.Actor;
using Akka.Event;
using Tapwire.Actors.Dispatch;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Udp;
using Tapwire.Wires;

namespace Tapwire.Actors.Link;

/// <content>The states on the way to a bound socket.</content>
internal sealed partial class DatagramActor
{
    /// <summary>A group is joined, or an interface chosen for groups, before the socket is bound.</summary>
    private void FindingInterface(SetOptionRequest set, IActorRef session)
    {
        Receive<GroupInterfaceFound>(found =>
        {
            session.Tell(new LinkReply(_groups.Apply(set, found, ref _options)));
            Become(Unbound);
            Stash.UnstashAll();
        });
        ReceiveAny(_ => Stash.Stash());
    }

    private void Open(IpEndpoint local, (BindRequest Request, IActorRef Session)? asker)
    {
        if (_kind == DatagramKind.Udp)
            _context = _context.ForUdp(local.Port, _options.Sharing);
        _context.Stack.Tell(new OpenDatagram(local, _options, _kind));
        Become(() => Opening(asker));
    }

    private void Opening((BindRequest Request, IActorRef Session)? asker)
    {
        Receive<DatagramOpened>(opened =>
        {
            _socket = opened.Id;
            (_local, _interface) = (opened.Local, opened.Interface);
            asker?.Session.Tell(new LinkReply(asker.Value.Request.Bound(Named(_local))));
            _context.Stack.Tell(new ReceiveDatagrams(opened.Id, Ahead));
            Become(() => Opened(opened.Id));
            Stash.UnstashAll();
        });
        Receive<DatagramOpenFailed>(failed =>
        {
            _log.Debug("No UDP socket: {Error}", failed.Error);
            asker?.Session.Tell(new LinkReply(asker.Value.Request.Failed(failed.Error)));
            if (asker is null)
                Become(() => Refusing(failed.Error));
            else
                Become(Unbound);
            Stash.UnstashAll();
        });
        ReceiveAny(_ => Stash.Stash());
    }

    /// <summary>The implicit bind has failed: the connect, or the datagrams, that called for it get the error. No port is left: that is EAGAIN (inet_autobind).</summary>
    private void Refusing(StackError error)
    {
        Receive<LinkCall>(call =>
        {
            Sender.Tell(new LinkReply(call.Request.Failed(error == StackError.AddressInUse ? LinkErrno.TryAgain : (int)error)));
            Become(Unbound);
        });
        Receive<LinkReady>(_ =>
        {
            for (var reads = 0; reads < ReadsPerTurn; reads++)
            {
                switch (_link.Read(_context.Pool, BufferPool.HeaderRoom, out var payload, out var _, out var _))
                {
                    case ReadResult.Data:
                        payload!.Release();
                        _link.WriteError((int)error);
                        continue;
                    case ReadResult.Empty:
                        Become(Unbound);
                        return;
                    default:
                        Context.Stop(Self);
                        return;
                }
            }

            Context.GoOnLater(LinkReady.TellReadable);
        });
        Receive<Stopping>(_ => Context.Stop(Self));
    }
}
