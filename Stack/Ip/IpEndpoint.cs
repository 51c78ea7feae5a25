namespace Tapwire.Stack.Ip;

/// <summary>An address with a port: one end of a TCP connection, or the sender of a datagram.</summary>
public readonly record struct IpEndpoint(IpAddress Address, ushort Port)
{
    public override string ToString() => Address.IsV4 ? $"{Address}:{Port}" : $"[{Address}]:{Port}";
}
