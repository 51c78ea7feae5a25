using Akka.Actor;
using Akka.Event;

namespace Akka.Logger.Serilog;

public static class SerilogLoggingAdapterExtensions
{
    /// <summary>
    /// An adapter that adds the property to each event. Properties add up. Only a <see cref="SerilogLoggingAdapter"/> can; any other is answered as it is.
    /// </summary>
    /// <param name="destructureObjects">Whether an object is logged with its parts instead of as its text.</param>
    public static ILoggingAdapter ForContext(this ILoggingAdapter adapter, string propertyName, object value, bool destructureObjects = false) =>
        adapter is SerilogLoggingAdapter serilog ? serilog.SetContextProperty(propertyName, value, destructureObjects) : adapter;

    /// <summary>A logger of the actor that logs with message templates.</summary>
    /// <typeparam name="T"><see cref="SerilogLoggingAdapter"/></typeparam>
    public static ILoggingAdapter GetLogger<T>(this IActorContext context)
        where T : class, ILoggingAdapter =>
        new SerilogLoggingAdapter(context.System.EventStream, context.Self.ToString(), context.Props.Type);

    /// <inheritdoc cref="GetLogger{T}(IActorContext)"/>
    /// <param name="logSourceObj">An actor, a type, or whatever else logs.</param>
    public static ILoggingAdapter GetLogger<T>(this ActorSystem system, object logSourceObj)
        where T : class, ILoggingAdapter
    {
        ArgumentNullException.ThrowIfNull(logSourceObj);
        var source = LogSource.Create(logSourceObj, system);
        return new SerilogLoggingAdapter(system.EventStream, source.Source, source.Type);
    }

    /// <inheritdoc cref="GetLogger{T}(IActorContext)"/>
    public static ILoggingAdapter GetLogger<T>(this ActorSystem system, string logSource, Type logType)
        where T : class, ILoggingAdapter => new SerilogLoggingAdapter(system.EventStream, logSource, logType);
}
