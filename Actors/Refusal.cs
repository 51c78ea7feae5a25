using Tapwire.Actors.Guests;
using Tapwire.Actors.Link;
using Tapwire.Actors.Services.Page;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Names;
using Tapwire.Names.Mdns;
using Tapwire.Stack;

namespace Tapwire.Actors;

/// <summary>The answer to the sender of a message that no actor can handle, so that the sender does not wait for ever.</summary>
internal static class Refusal
{
    /// <summary>Null: no answer is awaited. A status request gets none either, because a status cannot be made up; its sender sets a time-out.</summary>
    public static object? Of(object message) => message switch
    {
        // A connection that the stack gives to an owner that is gone is aborted.
        Accepted accepted => new Abort(accepted.Id),
        PublishedAccept published => new Abort(published.Accepted.Id),
        Connecting connecting => new Abort(connecting.Id),
        Bound bound => new Unbind(bound.Id),
        Listening listening => new Unlisten(listening.Id),
        DatagramOpened opened => new CloseDatagram(opened.Id),

        // A request to an actor that is gone, mostly the stack, is refused.
        Bind => new BindFailed(StackError.ConnectionAborted),
        Listen => new ListenFailed(StackError.ConnectionAborted),
        Connect => new ConnectFailed(StackError.ConnectionAborted),
        Attach or Close or Abort or AcceptForwarded => new Closed(StackError.ConnectionAborted),
        OpenDatagram => new DatagramOpenFailed(StackError.ConnectionAborted),
        ConnectDatagram => new DatagramConnected(StackError.ConnectionAborted, default),
        SendDatagram => new DatagramSent(StackError.ConnectionAborted),
        SetOption or GetOption or ChangeMembership or ChooseGroupInterface => new OptionAnswer(StackError.ConnectionAborted, 0),
        FindGroupInterface => new GroupInterfaceFound(StackError.ConnectionAborted, 0),
        GetTcpInfo => new TcpInfoAnswer(null),
        FindPath => new PathFound(StackError.ConnectionAborted, 0, 0),
        AddAddress or RemoveAddress or AddRoute or RemoveRoute or ChangeNeighbor or FlushNeighbors or LimitMtu or DeprecateAddress => new AddressAnswer(StackError.ConnectionAborted),
        AttachInterface attach => new InterfaceRefused(attach.Options.Name, "The stack has stopped."),
        DetachInterface detach => new InterfaceDetached(detach.Name),
        OpenDhcp or OpenDhcp6 or OpenDhcpServer => new DhcpOpenFailed(StackError.ConnectionAborted),
        GetInterfaces => new InterfaceNames(null),
        KillConnection => new ConnectionKilled(false),
        LinksQuestion question => new LinksAnswer(question.Round, question.Number, MulticastAnswer.Failed(LookupResult.ServerFailure)),
        BrowseServices => ServicesFound.Failed(LookupResult.ServerFailure),
        LinkLeaves => LinkLeft.Instance,
        PageRequest => PageActor.Gone,
        Ping ping => new PingAnswer(StackError.ConnectionAborted, ping.Destination, TimeSpan.Zero, 0, ping.Size),
        Resolve resolve => new Resolved(resolve.Name, []),
        StartCapture capture => capture.Refuse((int)StackError.ConnectionAborted, "The driver has stopped."),
        WhenReady => new DriverFailed("The driver has stopped."),
        LinkCall call => new LinkReply(call.Request.Failed(LinkErrno.BadHandle)),
        _ => null,
    };
}
