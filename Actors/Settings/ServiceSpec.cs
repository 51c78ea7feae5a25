using System.Globalization;

namespace Tapwire.Actors.Settings;

/// <summary>A service of the driver and its port, as in "echo:7".</summary>
public sealed record ServiceSpec(string Name, ushort Port)
{
    public const string Accepted = "NAME:PORT with NAME one of echo, discard, source, http and PORT 1..65535";

    /// <summary>The word of the command line that has no port, since it is no service of the driver's but one of a wire's: <see cref="InterfaceSettings.ServesDhcp"/>.</summary>
    public const string Dhcp = "dhcp";

    /// <summary>As <see cref="Accepted"/>, with <see cref="Dhcp"/>.</summary>
    public const string AcceptedWord = $"{Accepted}, or {Dhcp} for the stations of the wire before it";

    /// <summary>As <see cref="Parse"/>; <see cref="Dhcp"/> has port 0.</summary>
    public static ServiceSpec? ParseWord(string? text) => text == Dhcp ? new ServiceSpec(Dhcp, 0) : Parse(text);

    public static ServiceSpec? Parse(string? text)
    {
        var parts = (text ?? "").Trim().Split(':');
        return parts is ["echo" or "discard" or "source" or "http", var port]
            && ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
            ? new ServiceSpec(parts[0], number)
            : null;
    }

    public override string ToString() => $"{Name}:{Port}";
}
