using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Tapwire.Stack.Ip;

namespace Tapwire.Names;

/// <summary>A domain name as messages have it (RFC 1035, 3.1), in lower case: names that differ only in the case of ASCII letters are equal.</summary>
public sealed class DnsName : IEquatable<DnsName>
{
    /// <summary>The longest name in bytes, with the lengths of its labels and the root's (RFC 1035, 2.3.4).</summary>
    public const int MaxLength = 255;

    /// <summary>The longest label in bytes.</summary>
    public const int MaxLabel = 63;

    public static readonly DnsName Root = new([0]);

    private readonly byte[] _wire;

    private DnsName(byte[] wire) => _wire = wire;

    /// <summary>Labels with their lengths, up to the root's 0.</summary>
    internal ReadOnlySpan<byte> Wire => _wire;

    public bool IsRoot => _wire.Length == 1;

    /// <summary>Whether it may be a host's: of letters, digits, '-' and '_' only. Applications get no other name (as in glibc, whose callers have trusted what a server had sent).</summary>
    public bool IsHostName
    {
        get
        {
            for (var i = 0; _wire[i] != 0; i += 1 + _wire[i])
            {
                foreach (var c in _wire.AsSpan(i + 1, _wire[i]))
                {
                    if (!char.IsAsciiLetterOrDigit((char)c) && c is not ((byte)'-' or (byte)'_'))
                        return false;
                }
            }

            return !IsRoot;
        }
    }

    /// <summary>Whether the last label is a number. No top-level domain is; such a name is an address that somebody has mistyped.</summary>
    public bool EndsInNumber
    {
        get
        {
            var last = 0;
            for (var i = 0; _wire[i] != 0; i += 1 + _wire[i])
                last = i;
            return !IsRoot && _wire.AsSpan(last + 1, _wire[last]).IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0;
        }
    }

    /// <summary>Accepts a host's name: labels of letters, digits, '-' and '_', with or without a dot at the end.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out DnsName? name)
    {
        name = null;
        if (string.IsNullOrEmpty(text) || text.Length > MaxLength)
            return false;
        Span<byte> wire = stackalloc byte[MaxLength + 2];
        var length = 0;
        foreach (var range in text.AsSpan(0, text.EndsWith('.') ? text.Length - 1 : text.Length).Split('.'))
        {
            var label = text.AsSpan()[range];
            if (label.Length is 0 or > MaxLabel || length + 1 + label.Length >= MaxLength)
                return false;
            wire[length++] = (byte)label.Length;
            foreach (var c in label)
            {
                if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_'))
                    return false;
                wire[length++] = (byte)char.ToLowerInvariant(c);
            }
        }

        wire[length++] = 0;
        name = new DnsName(wire[..length].ToArray());
        return true;
    }

    /// <param name="wire">A whole name without pointers, in any case.</param>
    internal static DnsName FromWire(ReadOnlySpan<byte> wire)
    {
        var copy = wire.ToArray();
        for (var i = 0; copy[i] != 0; i += 1 + copy[i])
            ToLower(copy.AsSpan(i + 1, copy[i]));
        return new DnsName(copy);
    }

    /// <summary>The name that has an address's names: in in-addr.arpa (RFC 1035, 3.5) or ip6.arpa (RFC 3596, 2.5).</summary>
    public static DnsName OfAddress(IpAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.CopyTo(bytes);
        var text = new StringBuilder();
        for (var i = address.Length - 1; i >= 0; i--)
        {
            if (address.IsV4)
                text.Append(CultureInfo.InvariantCulture, $"{bytes[i]}.");
            else
                text.Append(CultureInfo.InvariantCulture, $"{bytes[i] & 0xF:x}.{bytes[i] >> 4:x}.");
        }

        return TryParse(text.Append(address.IsV4 ? "in-addr.arpa" : "ip6.arpa").ToString(), out var name) ? name : Root;
    }

    /// <summary>The name without its first label. Of the root itself: the root.</summary>
    internal DnsName Parent => IsRoot ? this : new DnsName(_wire[(1 + _wire[0])..]);

    /// <returns>The name followed by a domain's; null if that is too long.</returns>
    public DnsName? Within(DnsName domain)
    {
        if (_wire.Length - 1 + domain._wire.Length > MaxLength)
            return null;
        return new DnsName([.. _wire.AsSpan(0, _wire.Length - 1), .. domain._wire]);
    }

    /// <summary>Whether it is a domain's name, or one in it. Everything is in the root.</summary>
    public bool IsIn(DnsName domain)
    {
        for (var i = 0; ; i += 1 + _wire[i])
        {
            if (_wire.Length - i <= domain._wire.Length)
                return _wire.AsSpan(i).SequenceEqual(domain._wire);
        }
    }

    public bool Equals(DnsName? other) => other is not null && _wire.AsSpan().SequenceEqual(other._wire);

    public override bool Equals(object? obj) => Equals(obj as DnsName);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(_wire);
        return hash.ToHashCode();
    }

    /// <summary>Without a dot at the end; the root is ".". What is no part of a host's name is written as \DDD (RFC 1035, 5.1).</summary>
    public override string ToString()
    {
        if (IsRoot)
            return ".";
        var text = new StringBuilder(_wire.Length);
        for (var i = 0; _wire[i] != 0; i += 1 + _wire[i])
        {
            if (i > 0)
                text.Append('.');
            foreach (var c in _wire.AsSpan(i + 1, _wire[i]))
            {
                if (c is > 0x20 and < 0x7F and not ((byte)'.' or (byte)'\\'))
                    text.Append((char)c);
                else
                    text.Append(CultureInfo.InvariantCulture, $"\\{c:D3}");
            }
        }

        return text.ToString();
    }

    /// <summary>Only ASCII letters have a case (RFC 4343).</summary>
    private static void ToLower(Span<byte> label)
    {
        foreach (ref var c in label)
            c = (byte)(c is >= (byte)'A' and <= (byte)'Z' ? c | 0x20 : c);
    }
}
