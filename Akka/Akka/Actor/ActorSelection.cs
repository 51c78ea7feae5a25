using Akka.Util;

namespace Akka.Actor;

/// <summary>A part of a tree: every actor that the path leads to, from the anchor, when a message is sent.</summary>
public class ActorSelection : ICanTell
{
    public ActorSelection() { }

    public ActorSelection(IActorRef anchor, SelectionPathElement[] path)
    {
        Anchor = anchor;
        Path = path;
    }

    public ActorSelection(IActorRef anchor, string path) : this(anchor, path == "" ? [] : path.Split('/')) { }

    public ActorSelection(IActorRef anchor, IEnumerable<string> elements)
    {
        Anchor = anchor;
        var names = elements.ToArray();
        var path = new List<SelectionPathElement>(names.Length);
        for (var i = 0; i < names.Length; i++)
        {
            path.Add(names[i] switch
            {
                ".." => SelectParent.Instance,
                "**" when i < names.Length - 1 => throw new IllegalActorNameException("Double wildcard can only appear at the last path entry"),
                "**" => SelectChildRecursive.Instance,
                var name when name.AsSpan().ContainsAny('?', '*') => new SelectChildPattern(name),
                var name => new SelectChildName(name),
            });
        }

        Path = path.ToArray();
    }

    public IActorRef Anchor { get; private set; }

    public SelectionPathElement[] Path { get; private set; }

    public string PathString => string.Join("/", Path.Select(static e => e.ToString()));

    public void Tell(object message, IActorRef sender = null)
    {
        if (sender is null && ActorCell.Current is { Self: { } self })
            sender = self;
        Deliver(message, sender, fanOut: false);
    }

    /// <summary>Asks for the one actor there.</summary>
    /// <exception cref="ActorNotFoundException">There is none, or it did not answer in time; thrown by the task.</exception>
    public Task<IActorRef> ResolveOne(TimeSpan timeout) => ResolveOne(timeout, CancellationToken.None);

    /// <inheritdoc cref="ResolveOne(TimeSpan)"/>
    public async Task<IActorRef> ResolveOne(TimeSpan timeout, CancellationToken ct)
    {
        ActorIdentity identity;
        try
        {
            identity = await this.Ask<ActorIdentity>(new Identify(null), timeout, ct).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            throw new ActorNotFoundException("Exception ocurred while resolving ActorSelection", e);
        }

        return identity.Subject ?? throw new ActorNotFoundException("subject was null");
    }

    /// <summary>Walks the path as far as this process knows it and sends the message, or sends the rest of the way with it.</summary>
    internal void Deliver(object message, IActorRef sender, bool fanOut)
    {
        if (Path.Length == 0)
            Anchor.Tell(message, sender);
        else
            Deliver(message, sender, 0, (IInternalActorRef)Anchor, fanOut);
    }

    private void Deliver(object message, IActorRef sender, int index, IInternalActorRef current, bool fanOut)
    {
        if (index == Path.Length)
        {
            current.Tell(message, sender);
            return;
        }

        if (current is not ActorRefWithCell withCell)
        {
            current.Tell(new ActorSelectionMessage(message, Path[index..], fanOut), sender);
            return;
        }

        switch (Path[index])
        {
            case SelectParent:
                Deliver(message, sender, index + 1, withCell.Parent, fanOut);
                break;
            case SelectChildName child:
                DeliverToChild(message, sender, index, withCell, child.Name, fanOut);
                break;
            case SelectChildRecursive:
                if (!DeliverToDescendants(message, sender, withCell) && !fanOut)
                    EmptyRef(withCell, index).Tell(new ActorSelectionMessage(message, Path[index..], wildCardFanOut: false), sender);
                break;
            case SelectChildPattern pattern:
                DeliverToMatching(message, sender, index, withCell, pattern, fanOut);
                break;
        }
    }

    private void DeliverToChild(object message, IActorRef sender, int index, ActorRefWithCell parent, string name, bool fanOut)
    {
        var child = name == "" ? parent : parent.GetSingleChild(name);
        if (!child.IsNobody())
            Deliver(message, sender, index + 1, child, fanOut);
        else if (!fanOut)
            EmptyRef(parent, index).Tell(new ActorSelectionMessage(message, Path[index..], wildCardFanOut: false), sender);
    }

    private static bool DeliverToDescendants(object message, IActorRef sender, ActorRefWithCell parent)
    {
        var any = false;
        foreach (var child in parent.Children)
        {
            any = true;
            child.Tell(message, sender);
            if (child is ActorRefWithCell withCell)
                DeliverToDescendants(message, sender, withCell);
        }

        return any;
    }

    private void DeliverToMatching(
        object message, IActorRef sender, int index, ActorRefWithCell parent, SelectChildPattern pattern, bool fanOut)
    {
        var matching = parent.Children.Where(c => Wildcard.Matches(c.Path.Name, pattern.PatternStr)).ToArray();
        if (matching.Length == 0 && !fanOut)
        {
            EmptyRef(parent, index).Tell(new ActorSelectionMessage(message, Path[index..], wildCardFanOut: false), sender);
            return;
        }

        foreach (var child in matching)
            Deliver(message, sender, index + 1, (IInternalActorRef)child, fanOut || matching.Length > 1);
    }

    /// <summary>Stands for what the rest of the path would lead to, so that a dead letter says where it should have gone.</summary>
    private EmptyLocalActorRef EmptyRef(ActorRefWithCell from, int index) => new(
        from.Provider,
        from.Path / Path[index..].Select(static e => e.ToString()),
        ((ActorSystem)from.Underlying.System).EventStream);

    public override bool Equals(object obj) => obj is ActorSelection other && obj.GetType() == GetType() && Equals(other);

    protected bool Equals(ActorSelection other) => Equals(Anchor, other.Anchor) && PathString == other.PathString;

    public override int GetHashCode() => HashCode.Combine(Anchor, PathString);

    public override string ToString() => $"ActorSelection[Anchor({Anchor.Path}{(Anchor.Path.Uid == 0 ? "" : $"#{Anchor.Path.Uid}")}), Path({PathString})]";
}

/// <summary>A message on its way through a selection.</summary>
public class ActorSelectionMessage : IAutoReceivedMessage, IPossiblyHarmful, IWrappedMessage
{
    public ActorSelectionMessage(object message, SelectionPathElement[] elements, bool wildCardFanOut = false)
    {
        Message = message;
        Elements = elements;
        WildCardFanOut = wildCardFanOut;
    }

    public object Message { get; }

    /// <summary>The way that is left.</summary>
    public SelectionPathElement[] Elements { get; }

    /// <summary>Whether a pattern on the way matched more than one actor.</summary>
    public bool WildCardFanOut { get; }

    public ActorSelectionMessage Copy(object message = null, SelectionPathElement[] elements = null, bool? wildCardFanOut = null) =>
        new(message ?? Message, elements ?? Elements, wildCardFanOut ?? WildCardFanOut);

    public override string ToString() =>
        $"ActorSelectionMessage - Message: {Message} - WildCartFanOut: {WildCardFanOut} - Elements: {string.Join<SelectionPathElement>("/", Elements)}";
}

/// <summary>A step of a selection.</summary>
public abstract class SelectionPathElement;

public class SelectChildName : SelectionPathElement
{
    public SelectChildName(string name) => Name = name;

    public string Name { get; }

    protected bool Equals(SelectChildName other) => Name == other.Name;

    public override bool Equals(object obj) => obj is SelectChildName other && Equals(other);

    public override int GetHashCode() => Name?.GetHashCode() ?? 0;

    public override string ToString() => Name;
}

/// <summary>All children whose names match a pattern with <c>*</c> and <c>?</c>.</summary>
public class SelectChildPattern : SelectionPathElement
{
    public SelectChildPattern(string patternStr) => PatternStr = patternStr;

    public string PatternStr { get; }

    protected bool Equals(SelectChildPattern other) => PatternStr == other.PatternStr;

    public override bool Equals(object obj) => obj is SelectChildPattern other && Equals(other);

    public override int GetHashCode() => PatternStr?.GetHashCode() ?? 0;

    public override string ToString() => PatternStr;
}

/// <summary>All descendants: <c>**</c>.</summary>
public class SelectChildRecursive : SelectionPathElement
{
    public static readonly SelectChildRecursive Instance = new();

    public override bool Equals(object obj) => obj is SelectChildRecursive;

    public override int GetHashCode() => "**".GetHashCode();

    public override string ToString() => "**";
}

/// <summary>The parent: <c>..</c>.</summary>
public class SelectParent : SelectionPathElement
{
    public static readonly SelectParent Instance = new();

    public override bool Equals(object obj) => obj is SelectParent;

    public override int GetHashCode() => "..".GetHashCode();

    public override string ToString() => "..";
}

/// <summary>Makes selections.</summary>
public static class ActorRefFactoryShared
{
    public static ActorSelection ActorSelection(ActorPath actorPath, ActorSystem system) =>
        new(((ExtendedActorSystem)system).Provider.RootGuardianAt(actorPath.Address), actorPath.Elements);

    /// <param name="lookupRoot">Where a relative path begins.</param>
    public static ActorSelection ActorSelection(string path, ActorSystem system, IActorRef lookupRoot)
    {
        var provider = ((ExtendedActorSystem)system).Provider;
        if (path.Length > 0 && path[0] == '/')
            return new ActorSelection(provider.RootGuardian, path.Split('/').Skip(1));
        if (ActorPath.TryParseAddress(path, out var address, out var absolute))
            return new ActorSelection(provider.RootGuardianAt(address), absolute.ToString().Split('/').Skip(1));
        return new ActorSelection(lookupRoot, path);
    }

    public static ActorSelection ActorSelection(IActorRef anchorActorRef, string path) => new(anchorActorRef, path);
}
