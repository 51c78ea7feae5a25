using System.Collections.Concurrent;
using System.Linq.Expressions;
using System.Reflection;

namespace Akka.Actor;

/// <summary>Makes the instances of an actor whose making is a matter of its own.</summary>
public interface IIndirectActorProducer
{
    Type ActorType { get; }

    /// <summary>A new instance; called for each incarnation.</summary>
    ActorBase Produce();

    /// <summary>Takes an instance back that is no longer used.</summary>
    void Release(ActorBase actor);
}

/// <summary>How to make an actor, and its settings. Immutable; one may be used for any number of actors.</summary>
public class Props : IEquatable<Props>
{
    public static readonly Props None = new();

    private static readonly object[] NoArgs = [];

    /// <summary>Of an actor that takes every message and does nothing.</summary>
    public static readonly Props Empty = Create<EmptyActor>();

    private readonly IIndirectActorProducer _producer;

    protected Props() : this(new EmptyProducer(), Deploy.Local, null) { }

    protected Props(Props copy) : this(copy._producer, copy.Deploy, copy.SupervisorStrategy, copy.Arguments) { }

    public Props(Type type, object[] args) : this(Deploy.None, type, args) { }

    public Props(Type type) : this(Deploy.None, type, NoArgs) { }

    public Props(Type type, SupervisorStrategy supervisorStrategy, IEnumerable<object> args)
        : this(Deploy.None, type, args?.ToArray()) => SupervisorStrategy = supervisorStrategy;

    public Props(Type type, SupervisorStrategy supervisorStrategy, params object[] args)
        : this(Deploy.None, type, args) => SupervisorStrategy = supervisorStrategy;

    public Props(Deploy deploy, Type type, IEnumerable<object> args) : this(deploy, type, args?.ToArray()) { }

    /// <exception cref="ArgumentNullException">There is no type.</exception>
    public Props(Deploy deploy, Type type, params object[] args)
        : this(new ActivatorProducer(type ?? throw new ArgumentNullException(nameof(type), "Props must be instantiated with an actor type."), args ?? NoArgs), deploy, null, args ?? NoArgs) { }

    private Props(IIndirectActorProducer producer, Deploy deploy, SupervisorStrategy supervisorStrategy, params object[] args)
    {
        _producer = producer;
        Deploy = deploy;
        SupervisorStrategy = supervisorStrategy;
        Arguments = args;
    }

    public Type Type => _producer.ActorType;

    public string TypeName => Type.AssemblyQualifiedName;

    /// <summary>The constructor's arguments, where the runtime calls it.</summary>
    public object[] Arguments { get; }

    public Deploy Deploy { get; protected set; }

    /// <summary>The strategy for the actor's children that goes before the actor's own; null for none.</summary>
    public SupervisorStrategy SupervisorStrategy { get; protected set; }

    public string Dispatcher => Deploy.Dispatcher == Deploy.NoDispatcherGiven ? Dispatch.Dispatchers.DefaultDispatcherId : Deploy.Dispatcher;

    public string Mailbox => Deploy.Mailbox;

    /// <summary>From a <c>new</c> expression, whose arguments are evaluated now, once.</summary>
    /// <exception cref="ArgumentException">It is no <c>new</c> expression.</exception>
    public static Props Create<TActor>(Expression<Func<TActor>> factory, SupervisorStrategy supervisorStrategy = null) where TActor : ActorBase
    {
        if (factory.Body is not NewExpression newExpression)
            throw new ArgumentException("The create function must be a 'new T (args)' expression");
        var args = newExpression.Arguments.Count == 0
            ? NoArgs
            : newExpression.Arguments.Select(Evaluate).ToArray();
        return newExpression.Constructor is { } constructor
            ? new Props(new ConstructorProducer(constructor, args), Deploy.None, supervisorStrategy, args)
            : new Props(typeof(TActor), supervisorStrategy, args);
    }

    public static Props Create<TActor>(params object[] args) where TActor : ActorBase => new(typeof(TActor), args);

    public static Props Create<TActor>(SupervisorStrategy supervisorStrategy) where TActor : ActorBase, new() =>
        new(typeof(TActor), supervisorStrategy);

    /// <exception cref="ArgumentNullException">There is no type.</exception>
    public static Props Create(Type type, params object[] args) =>
        new(type ?? throw new ArgumentNullException(nameof(type), "Props must be instantiated with an actor type."), args);

    [Obsolete("Do not use this method. Call CreateBy(IIndirectActorProducer, params object[] args) instead")]
    public static Props CreateBy<TProducer>(params object[] args) where TProducer : class, IIndirectActorProducer =>
        CreateBy((IIndirectActorProducer)Activator.CreateInstance(typeof(TProducer), args), args);

    public static Props CreateBy(IIndirectActorProducer producer, params object[] args) => new(producer, Deploy.None, null, args);

    public Props WithMailbox(string mailbox) => Changed(p => p.Deploy = Deploy.WithMailbox(mailbox));

    public Props WithDispatcher(string dispatcher) => Changed(p => p.Deploy = Deploy.WithDispatcher(dispatcher));

    /// <summary>Sets how many messages the actor may stash.</summary>
    public Props WithStashCapacity(int stashCapacity) => Changed(p => p.Deploy = Deploy.WithStashCapacity(stashCapacity));

    /// <summary>Puts a deployment before the one these props have.</summary>
    public Props WithDeploy(Deploy deploy) => Changed(p => p.Deploy = deploy.WithFallback(Deploy));

    public Props WithSupervisorStrategy(SupervisorStrategy supervisorStrategy) => Changed(p => p.SupervisorStrategy = supervisorStrategy);

    /// <summary>Makes an instance.</summary>
    /// <exception cref="TypeLoadException">There is no fitting constructor.</exception>
    public virtual ActorBase NewActor() => _producer.Produce();

    protected virtual Props Copy() => new(this);

    internal void Release(ActorBase actor) => _producer.Release(actor);

    public bool Equals(Props other) =>
        other is not null && (ReferenceEquals(this, other)
            || (Deploy.Equals(other.Deploy) && Equals(SupervisorStrategy, other.SupervisorStrategy) && Type == other.Type
                && Arguments.SequenceEqual(other.Arguments)));

    public override bool Equals(object obj) => Equals(obj as Props);

    public override int GetHashCode() => HashCode.Combine(Deploy, Type, Arguments.Length);

    private Props Changed(Action<Props> change)
    {
        var copy = Copy();
        change(copy);
        return copy;
    }

    private static object Evaluate(Expression argument)
    {
        if (argument is ConstantExpression constant)
            return constant.Value;
        if (argument is MemberExpression { Expression: ConstantExpression owner, Member: FieldInfo field })
            return field.GetValue(owner.Value); // a captured variable
        return Expression.Lambda<Func<object>>(Expression.Convert(argument, typeof(object))).Compile(preferInterpretation: true)();
    }

    private sealed class EmptyActor : UntypedActor
    {
        protected override void OnReceive(object message) { }
    }

    private sealed class EmptyProducer : IIndirectActorProducer
    {
        public Type ActorType => typeof(ActorBase);

        public ActorBase Produce() => throw new InvalidOperationException("No actor producer specified!");

        public void Release(ActorBase actor) { }
    }

    /// <summary>Calls the constructor that the arguments fit.</summary>
    private sealed class ActivatorProducer(Type type, object[] args) : IIndirectActorProducer
    {
        private readonly ConstructorInvoker _parameterless = args.Length == 0 ? Constructors.Parameterless(type) : null;

        public Type ActorType => type;

        public ActorBase Produce()
        {
            if (_parameterless is not null)
                return (ActorBase)_parameterless.Invoke();
            try
            {
                return (ActorBase)Activator.CreateInstance(type, BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance, null, args, null);
            }
            catch (MissingMethodException e)
            {
                throw new TypeLoadException(
                    $"Error while creating actor instance of type {type} with {args.Length} args: ({string.Join(",", args)})", e);
            }
        }

        public void Release(ActorBase actor) { }
    }

    private sealed class ConstructorProducer(ConstructorInfo constructor, object[] args) : IIndirectActorProducer
    {
        private readonly ConstructorInvoker _invoker = Constructors.Invoker(constructor);

        public Type ActorType => constructor.DeclaringType;

        public ActorBase Produce() => (ActorBase)_invoker.Invoke(args.AsSpan());

        public void Release(ActorBase actor) { }
    }

    private static class Constructors
    {
        private static readonly ConcurrentDictionary<ConstructorInfo, ConstructorInvoker> Invokers = new();

        public static ConstructorInvoker Invoker(ConstructorInfo constructor) => Invokers.GetOrAdd(constructor, ConstructorInvoker.Create);

        public static ConstructorInvoker Parameterless(Type type)
        {
            var constructor = type.IsAbstract
                ? null
                : type.GetConstructor(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance, []);
            return constructor is null ? null : Invoker(constructor);
        }
    }
}

/// <summary>The props of an actor that has stopped.</summary>
public class TerminatedProps : Props
{
    public override ActorBase NewActor() => throw new InvalidOperationException("This actor has been terminated");
}
