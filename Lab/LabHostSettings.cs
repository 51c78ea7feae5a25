using Tapwire.Actors.Settings;
using Tapwire.Stack.Ip;

namespace Tapwire;

/// <summary>Turns the options of a host into the settings of its driver.</summary>
internal static class LabHostSettings
{
    /// <summary>What would otherwise depend on this computer, and what would look outside the lab. A new address is used at once: nobody in a lab has it twice.</summary>
    private const string Defaults = """
        tcp { memory = 256MiB, receive-buffer = 1MiB, max-sockets = 65536 }
        link.max-sockets = 256
        neighbor.duplicate-probes = 0
        dns { hosts-file = "", mdns = off }
        state-directory = "off"
        """;

    private const int LengthV4 = 24;
    private const int LengthV6 = 64;

    /// <exception cref="ArgumentException">It cannot be; the message says why.</exception>
    public static DriverSettings Of(LabHostOptions options, IReadOnlyList<LabHost> hosts)
    {
        if (options.Name is not { } name || !PublishedName.TryParse(name, out _, out _))
            throw new ArgumentException($"'{options.Name}' is no name of a host: {PublishedName.Accepted}.", nameof(options));
        if (hosts.Any(host => string.Equals(host.Name, name, StringComparison.OrdinalIgnoreCase)))
            throw new ArgumentException($"There is a host '{name}' in the lab already.", nameof(options));
        if (options.Addresses is not { Count: > 0 } addresses)
            throw new ArgumentException($"The host '{name}' needs an address, as in \"10.0.0.1\" or \"fd00::1\".", nameof(options));
        var prefixes = addresses.Select(text => AddressOf(name, text)).ToList();
        foreach (var prefix in prefixes)
        {
            if (hosts.FirstOrDefault(host => host.Addresses.Contains(prefix.Address.ToSystem())) is { } other)
                throw new ArgumentException($"The address {prefix.Address} of '{name}' is that of '{other.Name}'.", nameof(options));
        }

        try
        {
            var settings = OptionSettings.Of(new TapwireOptions { Addresses = [.. prefixes.Select(static prefix => prefix.ToString())], Settings = $"{Defaults}\n{options.Settings}" }).Settings;
            return Outside(settings) is { } outside ? throw new ArgumentException($"The host '{name}' cannot have {outside}: it leads out of the lab.", nameof(options)) : settings;
        }
        catch (TapwireException e)
        {
            throw new ArgumentException($"The settings of the host '{name}': {e.Message}", nameof(options), e);
        }
    }

    private static IpPrefix AddressOf(string host, string text)
    {
        if (text is null || !(text.Contains('/', StringComparison.Ordinal) ? IpPrefix.TryParse(text, null, out var prefix) : TryWithLength(text, out prefix)))
            throw new ArgumentException($"'{text}' is no address for '{host}'; one is as in 10.0.0.1, fd00::1 or 10.0.0.1/16.", nameof(text));
        return OwnAddress.Problem(prefix) is { } problem ? throw new ArgumentException($"The address {text} of '{host}' cannot be: {problem}.", nameof(text)) : prefix;
    }

    private static bool TryWithLength(string text, out IpPrefix prefix)
    {
        prefix = default;
        if (!IpAddress.TryParse(text, null, out var address))
            return false;
        prefix = new IpPrefix(address, address.IsV4 ? LengthV4 : LengthV6);
        return true;
    }

    private static string? Outside(DriverSettings settings) => settings switch
    {
        { Shards: not 1 } => "more than one shard",
        { Interfaces.Count: > 0 } => "further interfaces",
        { Forward.Count: > 0 } => "forwarded ports",
        { Expose.Count: > 0 } => "exposed ports",
        { Socks.Listen.Count: > 0 } => "a SOCKS proxy",
        { Link.IsOff: false } => "a link",
        { Capture.File.Length: > 0 } => "a capture of its own",
        _ => null,
    };
}
