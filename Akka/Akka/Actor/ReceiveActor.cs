using System.Numerics;
using System.Runtime.CompilerServices;

namespace Akka.Actor;

/// <summary>An actor that registers a handler per type of message, in its constructor and in the methods it gives to <c>Become</c>.</summary>
public abstract class ReceiveActor : UntypedActor, Internal.IInitializableActor
{
    private Stack<List<Handler>> _configuring = new(); // null while nothing is configured
    private HandlerTable _handlers = HandlerTable.Empty;
    private bool _initialized;

    protected ReceiveActor() => _configuring.Push([]);

    void Internal.IInitializableActor.Init()
    {
        if (_initialized)
            return;
        _initialized = true;
        _handlers = Built();
    }

    protected sealed override void OnReceive(object message)
    {
        if (!_handlers.TryHandle(message))
            Unhandled(message);
    }

    /// <summary>Replaces the behaviour by the handlers that <paramref name="configure"/> registers.</summary>
    protected void Become(Action configure) => Become(Behavior(configure));

    /// <summary>Puts the handlers that <paramref name="configure"/> registers on top of the behaviour.</summary>
    protected void BecomeStacked(Action configure) => BecomeStacked(Behavior(configure));

    /// <summary>Handles messages of a type for which the predicate, if there is one, holds. The first handler that fits is the one that runs.</summary>
    /// <exception cref="InvalidOperationException">Not called while configuring, or after a handler that takes everything.</exception>
    protected void Receive<T>(Action<T> handler, Predicate<T> shouldHandle = null) =>
        Add(new TypedHandler<T>(handler, shouldHandle), typeof(T), shouldHandle is null);

    /// <inheritdoc cref="Receive{T}(Action{T}, Predicate{T})"/>
    protected void Receive<T>(Predicate<T> shouldHandle, Action<T> handler) => Receive(handler, shouldHandle);

    /// <inheritdoc cref="Receive{T}(Action{T}, Predicate{T})"/>
    protected void Receive(Type messageType, Action<object> handler, Predicate<object> shouldHandle = null) =>
        Add(new RuntimeTypeHandler(messageType, handler, shouldHandle), messageType, shouldHandle is null);

    /// <inheritdoc cref="Receive{T}(Action{T}, Predicate{T})"/>
    protected void Receive(Type messageType, Predicate<object> shouldHandle, Action<object> handler) => Receive(messageType, handler, shouldHandle);

    /// <summary>Handles messages of a type for which the handler returns true; for false the search goes on.</summary>
    /// <inheritdoc cref="Receive{T}(Action{T}, Predicate{T})" path="/exception"/>
    protected void Receive<T>(Func<T, bool> handler) => Add(new TryingHandler<T>(handler), typeof(T), catchesAll: false);

    /// <inheritdoc cref="Receive{T}(Func{T, bool})"/>
    protected void Receive(Type messageType, Func<object, bool> handler) =>
        Add(new RuntimeTypeHandler(messageType, null, new Predicate<object>(handler)), messageType, catchesAll: false);

    /// <summary>Handles every message that has no handler; no handler can follow.</summary>
    /// <inheritdoc cref="Receive{T}(Action{T}, Predicate{T})" path="/exception"/>
    protected void ReceiveAny(Action<object> handler) => Receive(handler);

    /// <summary>As <see cref="Receive{T}(Action{T}, Predicate{T})"/>; the actor handles no other message until the task is done.</summary>
    protected void ReceiveAsync<T>(Func<T, Task> handler, Predicate<T> shouldHandle = null) =>
        Receive<T>(m => RunTask(() => handler(m)), shouldHandle);

    /// <inheritdoc cref="ReceiveAsync{T}(Func{T, Task}, Predicate{T})"/>
    protected void ReceiveAsync<T>(Predicate<T> shouldHandle, Func<T, Task> handler) => ReceiveAsync(handler, shouldHandle);

    /// <inheritdoc cref="ReceiveAsync{T}(Func{T, Task}, Predicate{T})"/>
    protected void ReceiveAsync(Type messageType, Func<object, Task> handler, Predicate<object> shouldHandle = null) =>
        Receive(messageType, m => RunTask(() => handler(m)), shouldHandle);

    /// <inheritdoc cref="ReceiveAsync{T}(Func{T, Task}, Predicate{T})"/>
    protected void ReceiveAsync(Type messageType, Predicate<object> shouldHandle, Func<object, Task> handler) =>
        ReceiveAsync(messageType, handler, shouldHandle);

    /// <summary>As <see cref="ReceiveAny"/>; the actor handles no other message until the task is done.</summary>
    protected void ReceiveAnyAsync(Func<object, Task> handler) => ReceiveAny(m => RunTask(() => handler(m)));

    private UntypedReceive Behavior(Action configure)
    {
        (_configuring ??= new()).Push([]);
        configure();
        var handlers = Built();
        return m =>
        {
            if (!handlers.TryHandle(m))
                Unhandled(m);
        };
    }

    private HandlerTable Built()
    {
        var handlers = new HandlerTable(_configuring.Pop().ToArray());
        if (_configuring.Count == 0)
            _configuring = null;
        return handlers;
    }

    private void Add(Handler handler, Type messageType, bool catchesAll)
    {
        if (_configuring is null || !_configuring.TryPeek(out var handlers))
            throw new InvalidOperationException("You may only call Receive-methods when constructing the actor and inside Become().");
        if (handlers.Count > 0 && handlers[^1].CatchesAll)
            throw new InvalidOperationException("A handler that catches all messages has been added. No handler can be added after that.");
        handler.CatchesAll = catchesAll && messageType == typeof(object);
        handlers.Add(handler);
    }

    /// <summary>
    /// Handlers in the order of their registration. Where there are many, those in front that a type of message cannot be for are passed over, and the first one
    /// that it can be for is not asked whether it is, unless it has a predicate.
    /// </summary>
    private sealed class HandlerTable(Handler[] handlers)
    {
        public static readonly HandlerTable Empty = new([]);

        private const int Few = 4;

        // By type, the first handler that takes messages of that type; the latest of those that share a place. Made for those who have many handlers.
        private (Type Type, int First)[] _known;

        public bool TryHandle(object message)
        {
            var i = 0;
            if (handlers.Length > Few)
            {
                i = First(message.GetType());
                if (i < handlers.Length && handlers[i].TakesAllOfItsType)
                {
                    handlers[i].Handle(message);
                    return true;
                }
            }

            for (; i < handlers.Length; i++)
            {
                if (handlers[i].TryHandle(message))
                    return true;
            }

            return false;
        }

        private int First(Type type)
        {
            _known ??= new (Type, int)[(int)BitOperations.RoundUpToPowerOf2((uint)handlers.Length * 4)];
            ref var known = ref _known[type.GetHashCode() & (_known.Length - 1)];
            if (known.Type == type)
                return known.First;
            var first = 0;
            while (first < handlers.Length && !handlers[first].MessageType.IsAssignableFrom(type))
                first++;
            known = (type, first);
            return first;
        }
    }

    private abstract class Handler
    {
        public bool CatchesAll;

        public abstract Type MessageType { get; }

        /// <summary>It has no predicate.</summary>
        public virtual bool TakesAllOfItsType => false;

        public abstract bool TryHandle(object message);

        /// <summary>Handles a message that is known to be of its type, where it takes all of these.</summary>
        public virtual void Handle(object message) => throw new NotSupportedException();
    }

    private sealed class TypedHandler<T>(Action<T> handler, Predicate<T> shouldHandle) : Handler
    {
        public override Type MessageType => typeof(T);

        public override bool TakesAllOfItsType => shouldHandle is null;

        public override bool TryHandle(object message)
        {
            if (message is not T typed || (shouldHandle is not null && !shouldHandle(typed)))
                return false;
            handler(typed);
            return true;
        }

        public override void Handle(object message) => handler(typeof(T).IsValueType ? (T)message : Unsafe.As<object, T>(ref message));
    }

    private sealed class TryingHandler<T>(Func<T, bool> handler) : Handler
    {
        public override Type MessageType => typeof(T);

        public override bool TryHandle(object message) => message is T typed && handler(typed);
    }

    private sealed class RuntimeTypeHandler(Type type, Action<object> handler, Predicate<object> shouldHandle) : Handler
    {
        public override Type MessageType => type;

        public override bool TryHandle(object message)
        {
            if (!type.IsInstanceOfType(message) || (shouldHandle is not null && !shouldHandle(message)))
                return false;
            handler?.Invoke(message);
            return true;
        }
    }
}
