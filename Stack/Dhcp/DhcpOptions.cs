using System.Buffers.Binary;

namespace Tapwire.Stack.Dhcp;

/// <summary>
/// The options of one message, each in one piece: those that come in several parts are joined in the order of RFC 3396, 5: options, then file, then sname where these are
/// overloaded (RFC 2132, 9.3). Options that neither client nor server know are skipped.
/// </summary>
internal sealed class DhcpOptions
{
    private const int File = 108;
    private const int FileLength = 128;
    private const int ServerName = 44;
    private const int ServerNameLength = 64;

    private readonly Dictionary<DhcpOption, byte[]> _values = [];

    private DhcpOptions()
    {
    }

    /// <summary>The value of an option; empty also where it is not there.</summary>
    public ReadOnlySpan<byte> this[DhcpOption option] => _values.GetValueOrDefault(option);

    public bool Has(DhcpOption option) => _values.ContainsKey(option);

    /// <param name="message">With all fixed fields and the cookie.</param>
    public static DhcpDrop Read(ReadOnlySpan<byte> message, out DhcpOptions options)
    {
        options = new DhcpOptions();
        var drop = options.Walk(message[DhcpMessage.OptionsOffset..]);
        if (drop != DhcpDrop.None || !options._values.Remove(DhcpOption.Overload, out var overload))
            return drop;
        if (overload is not [>= 1 and <= 3])
            return DhcpDrop.BadOption;
        if ((overload[0] & 1) != 0)
            drop = options.Walk(message.Slice(File, FileLength));
        if (drop == DhcpDrop.None && (overload[0] & 2) != 0)
            drop = options.Walk(message.Slice(ServerName, ServerNameLength));
        options._values.Remove(DhcpOption.Overload);
        return drop;
    }

    /// <returns>True and the number, or true and null where the option is not there; false: it has another length.</returns>
    public bool TryRead32(DhcpOption option, out uint? number)
    {
        number = null;
        if (!_values.TryGetValue(option, out var value))
            return true;
        if (value.Length != 4)
            return false;
        number = BinaryPrimitives.ReadUInt32BigEndian(value);
        return true;
    }

    private static bool IsKnown(DhcpOption option) => option is DhcpOption.SubnetMask or DhcpOption.Router or DhcpOption.DomainNameServer or DhcpOption.DomainName
        or DhcpOption.InterfaceMtu or DhcpOption.BroadcastAddress or DhcpOption.LeaseTime or DhcpOption.Overload or DhcpOption.MessageType or DhcpOption.ServerIdentifier
        or DhcpOption.RequestedAddress or DhcpOption.ClientIdentifier or DhcpOption.ParameterRequestList or DhcpOption.MaximumMessageSize or DhcpOption.HostName or DhcpOption.RenewalTime or DhcpOption.RebindingTime or DhcpOption.DomainSearch or DhcpOption.ClasslessStaticRoute;

    private DhcpDrop Walk(ReadOnlySpan<byte> field)
    {
        for (var i = 0; i < field.Length;)
        {
            var option = (DhcpOption)field[i++];
            if (option == DhcpOption.End)
                return DhcpDrop.None;
            if (option == DhcpOption.Pad)
                continue;
            if (i >= field.Length || field[i] > field.Length - i - 1)
                return DhcpDrop.OptionPastEnd;
            var part = field.Slice(i + 1, field[i]);
            if (IsKnown(option))
                _values[option] = _values.TryGetValue(option, out var before) ? [.. before, .. part] : part.ToArray();
            i += 1 + part.Length;
        }

        return DhcpDrop.NoEnd;
    }
}
