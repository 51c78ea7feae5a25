namespace Akka.Event;

/// <summary>A subscriber of one classifier, less the sub-classifiers that it has unsubscribed from.</summary>
public class Subscription<TSubscriber, TClassifier>
{
    public Subscription(TSubscriber subscriber, IEnumerable<TClassifier> unsubscriptions)
    {
        Subscriber = subscriber;
        Unsubscriptions = new HashSet<TClassifier>(unsubscriptions);
    }

    public Subscription(TSubscriber subscriber) : this(subscriber, []) { }

    public TSubscriber Subscriber { get; }

    public ISet<TClassifier> Unsubscriptions { get; }
}

/// <summary>Hands events to those who subscribed to their classifier or to one above it.</summary>
public abstract class EventBus<TEvent, TClassifier, TSubscriber>
{
    private readonly Lock _lock = new();
    private readonly Dictionary<TClassifier, List<Subscription<TSubscriber, TClassifier>>> _classifiers = [];
    private volatile Dictionary<TClassifier, TSubscriber[]> _cache = []; // replaced, never changed

    protected string SimpleName(object source) => SimpleName(source.GetType());

    protected string SimpleName(Type source) => Logging.SimpleName(source);

    /// <summary>False when the subscriber has the classifier already.</summary>
    public virtual bool Subscribe(TSubscriber subscriber, TClassifier classifier)
    {
        lock (_lock)
        {
            if (!_classifiers.TryGetValue(classifier, out var subscriptions))
                _classifiers[classifier] = subscriptions = [];
            var existing = subscriptions.Find(s => s.Subscriber.Equals(subscriber));
            if (existing is not null && existing.Unsubscriptions.Count == 0)
                return false;
            subscriptions.Remove(existing);
            subscriptions.Add(new Subscription<TSubscriber, TClassifier>(subscriber));
            _cache = [];
            return true;
        }
    }

    /// <summary>Ends all subscriptions; false when there was none.</summary>
    public virtual bool Unsubscribe(TSubscriber subscriber)
    {
        lock (_lock)
        {
            var removed = 0;
            foreach (var (classifier, subscriptions) in _classifiers.ToArray())
            {
                removed += subscriptions.RemoveAll(s => s.Subscriber.Equals(subscriber));
                if (subscriptions.Count == 0)
                    _classifiers.Remove(classifier);
            }

            _cache = [];
            return removed > 0;
        }
    }

    /// <summary>Ends the subscription to a classifier, or takes it out of the subscriptions above it; false when there was none.</summary>
    public virtual bool Unsubscribe(TSubscriber subscriber, TClassifier classifier)
    {
        lock (_lock)
        {
            var changed = false;
            foreach (var (subscribed, subscriptions) in _classifiers.ToArray())
            {
                if (Equals(subscribed, classifier))
                {
                    changed |= subscriptions.RemoveAll(s => s.Subscriber.Equals(subscriber)) > 0;
                    if (subscriptions.Count == 0)
                        _classifiers.Remove(subscribed);
                }
                else if (IsSubClassification(subscribed, classifier) && subscriptions.Find(s => s.Subscriber.Equals(subscriber)) is { } above)
                {
                    changed |= above.Unsubscriptions.Add(classifier);
                }
            }

            _cache = [];
            return changed;
        }
    }

    public virtual void Publish(TEvent @event)
    {
        foreach (var subscriber in SubscribersOf(GetClassifier(@event)))
            Publish(@event, subscriber);
    }

    protected abstract bool IsSubClassification(TClassifier parent, TClassifier child);

    protected abstract void Publish(TEvent @event, TSubscriber subscriber);

    protected abstract bool Classify(TEvent @event, TClassifier classifier);

    protected abstract TClassifier GetClassifier(TEvent @event);

    private TSubscriber[] SubscribersOf(TClassifier classifier)
    {
        if (_cache.TryGetValue(classifier, out var subscribers))
            return subscribers;
        lock (_lock)
        {
            subscribers = _classifiers
                .Where(c => IsSubClassification(c.Key, classifier))
                .SelectMany(static c => c.Value)
                .Where(s => !s.Unsubscriptions.Any(u => IsSubClassification(u, classifier)))
                .Select(static s => s.Subscriber)
                .Distinct()
                .ToArray();
            _cache = new Dictionary<TClassifier, TSubscriber[]>(_cache) { [classifier] = subscribers };
            return subscribers;
        }
    }
}

public abstract class ActorEventBus<TEvent, TClassifier> : EventBus<TEvent, TClassifier, Actor.IActorRef>;
