using System.Buffers.Binary;

namespace Tapwire.Stack.Dhcp.V6;

/// <summary>Walks over options (RFC 8415, 21.1): of a message, or within one.</summary>
internal static class Dhcp6Options
{
    /// <summary>Options of a message, and of each that has some: more than honest servers send. One message is read in so many steps at most.</summary>
    public const int MostOptions = 64;

    /// <summary>Takes the next option.</summary>
    /// <param name="rest">What is left when the method returns: nothing after the last option.</param>
    /// <returns>False: there is none; or it goes beyond the end, and <paramref name="rest"/> is not empty.</returns>
    public static bool TryTake(scoped ref ReadOnlySpan<byte> rest, out Dhcp6Option option, out ReadOnlySpan<byte> value)
    {
        option = default;
        value = default;
        if (rest.Length < 4)
            return false;
        var length = BinaryPrimitives.ReadUInt16BigEndian(rest[2..]);
        if (length > rest.Length - 4)
            return false;
        option = (Dhcp6Option)BinaryPrimitives.ReadUInt16BigEndian(rest);
        value = rest.Slice(4, length);
        rest = rest[(4 + length)..];
        return true;
    }

    /// <summary>Whether all options are within their bounds, and not too many.</summary>
    public static bool AreWellFormed(ReadOnlySpan<byte> options)
    {
        var count = 0;
        while (TryTake(ref options, out _, out _))
        {
            if (++count > MostOptions)
                return false;
        }

        return options.IsEmpty;
    }

    /// <summary>The value of an option.</summary>
    /// <param name="options">Well-formed.</param>
    /// <param name="count">How often it is there; the first one counts.</param>
    public static ReadOnlySpan<byte> Find(ReadOnlySpan<byte> options, Dhcp6Option wanted, out int count)
    {
        ReadOnlySpan<byte> found = default;
        count = 0;
        while (TryTake(ref options, out var option, out var value))
        {
            if (option == wanted && count++ == 0)
                found = value;
        }

        return found;
    }
}
