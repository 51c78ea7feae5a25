using System.Globalization;
using System.Text;

namespace Akka.Actor;

/// <summary>
/// An actor's place in the tree. Paths are equal when address and names are; the <see cref="Uid"/>, which tells incarnations under one name
/// apart, does not count.
/// </summary>
public abstract class ActorPath : IEquatable<ActorPath>, IComparable<ActorPath>
{
    private const string ValidSymbols = "\"-_.*$+:@&=,!~';()";

    private readonly Address _address;
    private readonly ActorPath _parent;

    protected ActorPath(Address address, string name)
    {
        _address = address;
        Name = name;
    }

    protected ActorPath(ActorPath parentPath, string name, long uid)
    {
        _parent = parentPath;
        Name = name;
        Uid = uid;
    }

    public string Name { get; }

    /// <summary>Tells incarnations apart; 0 when undefined.</summary>
    public long Uid { get; }

    /// <summary>The parent's path; the root is its own parent.</summary>
    public ActorPath Parent => _parent ?? this;

    public ActorPath Root
    {
        get
        {
            var path = this;
            while (path._parent is not null)
                path = path._parent;
            return path;
        }
    }

    public Address Address => Root._address;

    /// <summary>The number of names below the root.</summary>
    public int Depth
    {
        get
        {
            var depth = 0;
            for (var path = this; path._parent is not null; path = path._parent)
                depth++;
            return depth;
        }
    }

    /// <summary>The names from the root down.</summary>
    public IReadOnlyList<string> Elements
    {
        get
        {
            if (_parent is null)
                return [""];
            var elements = new string[Depth];
            var path = this;
            for (var i = elements.Length - 1; i >= 0; i--, path = path._parent)
                elements[i] = path.Name;
            return elements;
        }
    }

    /// <summary>As <see cref="Elements"/>, the last one with its uid.</summary>
    internal IReadOnlyList<string> ElementsWithUid
    {
        get
        {
            if (_parent is null)
                return [""];
            var elements = (string[])Elements;
            elements[^1] = AppendUidFragment(Name);
            return elements;
        }
    }

    public ActorPath Child(string childName) => this / childName;

    /// <summary>The ancestor at a depth; a negative depth counts upwards from here.</summary>
    public ActorPath ParentOf(int depth)
    {
        var levels = depth >= 0 ? Depth - depth : -depth;
        var path = this;
        while (levels-- > 0 && path._parent is not null)
            path = path._parent;
        return path;
    }

    public ActorPath WithUid(long uid)
    {
        if (uid == Uid)
            return this;
        return _parent is null ? throw new NotSupportedException("RootActorPath must have undefined uid") : new ChildActorPath(_parent, Name, uid);
    }

    /// <summary>Whether a text may name an actor: letters, digits and a few symbols, not <c>$</c> at the beginning.</summary>
    public static bool IsValidPathElement(string s)
    {
        if (string.IsNullOrEmpty(s) || s[0] == '$')
            return false;
        for (var i = 0; i < s.Length; i++)
        {
            var c = s[i];
            if (char.IsAsciiLetterOrDigit(c) || ValidSymbols.Contains(c))
                continue;
            if (c != '%' || i + 2 >= s.Length || !char.IsAsciiHexDigit(s[i + 1]) || !char.IsAsciiHexDigit(s[i + 2]))
                return false;
            i += 2;
        }

        return true;
    }

    internal static string IllegalNameMessage(string name) =>
        $"Illegal actor name [{name}]. Actor paths MUST: not start with `$`, include only ASCII letters "
        + $"and can only contain these special characters: {ValidSymbols}.";

    /// <exception cref="UriFormatException">The text is no actor path.</exception>
    public static ActorPath Parse(string path) =>
        TryParse(path, out var actorPath) ? actorPath : throw new UriFormatException($"Can not parse an ActorPath: {path}");

    public static bool TryParse(string path, out ActorPath actorPath)
    {
        if (path is not null && TryParseAddress(path, out var address, out var absoluteUri))
            return TryParse(new RootActorPath(address), absoluteUri, out actorPath);
        actorPath = null;
        return false;
    }

    public static bool TryParse(ActorPath basePath, string absoluteUri, out ActorPath actorPath) =>
        TryParse(basePath, absoluteUri.AsSpan(), out actorPath);

    /// <summary>Appends the names of an absolute path's text, which may end in <c>#uid</c>, to a path.</summary>
    public static bool TryParse(ActorPath basePath, ReadOnlySpan<char> absoluteUri, out ActorPath actorPath)
    {
        actorPath = basePath;
        long uid = 0;
        var hash = absoluteUri.IndexOf('#');
        if (hash >= 0)
        {
            if (!long.TryParse(absoluteUri[(hash + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out uid))
                return Fail(out actorPath);
            absoluteUri = absoluteUri[..hash];
        }

        while (!absoluteUri.IsEmpty)
        {
            if (absoluteUri[0] == '/')
            {
                absoluteUri = absoluteUri[1..];
                continue;
            }

            var slash = absoluteUri.IndexOf('/');
            var name = slash < 0 ? absoluteUri : absoluteUri[..slash];
            actorPath = new ChildActorPath(actorPath, name.ToString(), slash < 0 ? uid : 0);
            absoluteUri = absoluteUri[name.Length..];
        }

        return true;

        static bool Fail(out ActorPath result)
        {
            result = null;
            return false;
        }
    }

    public static bool TryParseAddress(string path, out Address address) => TryParseAddress(path, out address, out _);

    public static bool TryParseAddress(string path, out Address address, out ReadOnlySpan<char> absoluteUri) =>
        Address.TryParse(path.AsSpan(), out address, out absoluteUri);

    public static string FormatPathElements(IEnumerable<string> pathElements) => string.Join("/", pathElements);

    public override string ToString() => ToStringWithAddress();

    public string ToStringWithoutAddress() => Write("", withUid: false);

    public string ToStringWithAddress() => Write(Address.ToString(), withUid: false);

    /// <summary>The text with the given address, unless this path has a host of its own.</summary>
    public string ToStringWithAddress(Address address) => Write(Effective(address).ToString(), withUid: false);

    public string ToStringWithUid() => Write(Address.ToString(), withUid: true);

    public string ToSerializationFormat() => ToStringWithUid();

    public string ToSerializationFormatWithAddress(Address address) => Write(Effective(address).ToString(), withUid: true);

    public bool Equals(ActorPath other)
    {
        if (other is null)
            return false;
        ActorPath a = this, b = other;
        while (!ReferenceEquals(a, b))
        {
            if (a._parent is null || b._parent is null)
                return a._parent is null && b._parent is null && a.Name == b.Name && a._address.Equals(b._address);
            if (a.Name != b.Name)
                return false;
            a = a._parent;
            b = b._parent;
        }

        return true;
    }

    public override bool Equals(object obj) => Equals(obj as ActorPath);

    public override int GetHashCode()
    {
        var hash = 17;
        for (var path = this; path._parent is not null; path = path._parent)
            hash = (hash * 31) ^ path.Name.GetHashCode();
        return (hash * 31) ^ Address.GetHashCode();
    }

    public int CompareTo(ActorPath other)
    {
        if (other is null)
            return 1;
        var result = Address.CompareTo(other.Address);
        if (result != 0)
            return result;
        IReadOnlyList<string> a = Elements, b = other.Elements;
        for (var i = 0; i < Math.Min(a.Count, b.Count) && result == 0; i++)
            result = string.CompareOrdinal(a[i], b[i]);
        return result != 0 ? result : a.Count.CompareTo(b.Count);
    }

    public static ActorPath operator /(ActorPath path, string name)
    {
        var hash = name.IndexOf('#');
        return hash < 0
            ? new ChildActorPath(path, name, 0)
            : new ChildActorPath(path, name[..hash], long.Parse(name.AsSpan(hash + 1), CultureInfo.InvariantCulture));
    }

    public static ActorPath operator /(ActorPath path, IEnumerable<string> name)
    {
        foreach (var element in name)
        {
            if (!string.IsNullOrEmpty(element))
                path /= element;
        }

        return path;
    }

    public static bool operator ==(ActorPath left, ActorPath right) => left?.Equals(right) ?? right is null;

    public static bool operator !=(ActorPath left, ActorPath right) => !(left == right);

    private Address Effective(Address address) => Address.Host is not null && Address.Port.HasValue ? Address : address;

    private string AppendUidFragment(string text) => Uid == 0 ? text : string.Create(CultureInfo.InvariantCulture, $"{text}#{Uid}");

    private string Write(string address, bool withUid)
    {
        var text = new StringBuilder(address, 64);
        if (_parent is null)
            text.Append('/').Append(Name);
        else
            WriteNames(this, text);
        return withUid ? AppendUidFragment(text.ToString()) : text.ToString();

        static void WriteNames(ActorPath path, StringBuilder text)
        {
            if (path._parent is null)
                return;
            WriteNames(path._parent, text);
            text.Append('/').Append(path.Name);
        }
    }
}

/// <summary>The path of a root guardian.</summary>
public sealed class RootActorPath : ActorPath
{
    public RootActorPath(Address address, string name = "") : base(address, name) { }
}

/// <summary>The path of every actor below the root.</summary>
public sealed class ChildActorPath : ActorPath
{
    public ChildActorPath(ActorPath parentPath, string name, long uid) : base(parentPath, name, uid) { }
}

/// <summary>Reads relative paths.</summary>
public static class RelativeActorPath
{
    /// <summary>The elements of a relative or absolute path's text, or null when it is not one.</summary>
    public static IEnumerable<string> Unapply(string addr)
    {
        var name = addr;
        var hash = addr.IndexOf('#');
        if (hash >= 0)
            name = addr[..hash];
        if (!Uri.TryCreate(name, UriKind.RelativeOrAbsolute, out var uri) || (uri.IsAbsoluteUri && !name.StartsWith('/')))
            return null;
        return addr.Split('/');
    }
}
