using System.Buffers.Binary;
using System.Globalization;
using Tapwire.Stack.Ip;

namespace Tapwire.Posix;

/// <summary>The address family in a socket address, with Linux's numbers.</summary>
public enum SocketFamily : ushort
{
    /// <summary>AF_UNSPEC: no address.</summary>
    Unspecified = 0,

    /// <summary>AF_INET.</summary>
    V4 = 2,

    /// <summary>AF_INET6.</summary>
    V6 = 10,
}

/// <summary>
/// A socket address as it crosses the link: 28 bytes in the layout of struct sockaddr_in6, or of struct sockaddr_in followed by zeros. The family is
/// the one that the application's socket was made with, so that an IPv4 peer of an AF_INET6 socket shows as a mapped address.
/// </summary>
public readonly record struct Sockaddr(SocketFamily Family, IpEndpoint Endpoint)
{
    /// <summary>Bytes of an address, whatever its family.</summary>
    public const int Size = 28;

    /// <summary>No address: AF_UNSPEC.</summary>
    public static readonly Sockaddr None;

    /// <summary>sin6_scope_id of a link-local address: the number of its interface; 0: none is said. Of other addresses always 0, as Linux looks at no other's.</summary>
    public uint Scope { get; init; }

    /// <summary>The same as a zone (RFC 4007, 11); null: none is said.</summary>
    public string? Zone => Scope == 0 ? null : Scope.ToString(CultureInfo.InvariantCulture);

    /// <summary>Any address of a family, and port 0: the stack chooses.</summary>
    public static IpEndpoint Wildcard(SocketFamily family) => new(family == SocketFamily.V4 ? IpAddress.AnyV4 : IpAddress.Unspecified, 0);

    /// <summary>The address in the endpoint's own family.</summary>
    public static Sockaddr From(IpEndpoint endpoint) => new(endpoint.Address.IsV4 ? SocketFamily.V4 : SocketFamily.V6, endpoint);

    /// <summary>The address as a socket of <paramref name="family"/> sees it; a wildcard takes that family's form.</summary>
    public static Sockaddr From(IpEndpoint endpoint, SocketFamily family) =>
        family == SocketFamily.V4 && endpoint.Address.IsUnspecified
            ? new(family, endpoint with { Address = IpAddress.AnyV4 })
            : new(family == SocketFamily.V4 && !endpoint.Address.IsV4 ? SocketFamily.V6 : family, endpoint);

    /// <summary>Writes <see cref="Size"/> bytes.</summary>
    public void WriteTo(Span<byte> destination)
    {
        destination = destination[..Size];
        destination.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(destination, (ushort)Family);
        if (Family == SocketFamily.Unspecified)
            return;

        BinaryPrimitives.WriteUInt16BigEndian(destination[2..], Endpoint.Port);
        if (Family == SocketFamily.V4)
            Endpoint.Address.CopyTo(destination[4..]);
        else if (Endpoint.Address != IpAddress.AnyV4)
            Endpoint.Address.CopyTo16(destination[8..]);
        if (Scope != 0 && Family == SocketFamily.V6)
            BinaryPrimitives.WriteUInt32LittleEndian(destination[24..], Scope);
    }

    /// <summary>Reads <see cref="Size"/> bytes. False for an unknown family. Bytes that a family does not use are ignored.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, out Sockaddr address)
    {
        source = source[..Size];
        var family = (SocketFamily)BinaryPrimitives.ReadUInt16LittleEndian(source);
        var port = BinaryPrimitives.ReadUInt16BigEndian(source[2..]);
        switch (family)
        {
            case SocketFamily.Unspecified:
                address = None;
                return true;
            case SocketFamily.V4:
                address = new(family, new IpEndpoint(IpAddress.FromBytes(source.Slice(4, 4)), port));
                return true;
            case SocketFamily.V6:
                var scope = BinaryPrimitives.ReadUInt32LittleEndian(source[24..]);
                address = new(family, new IpEndpoint(IpAddress.FromBytes(source.Slice(8, 16)), port));
                if (scope != 0 && address.Endpoint.Address.IsLinkLocal)
                    address = address with { Scope = scope };
                return true;
            default:
                address = None;
                return false;
        }
    }

    public override string ToString() => Family == SocketFamily.Unspecified ? "unspecified" : Endpoint.ToString();
}
