using System.Globalization;

namespace Tapwire.Actors.Settings;

/// <summary>A service of the driver and its port, as in "echo:7".</summary>
public sealed record ServiceSpec(string Name, ushort Port)
{
    public const string Accepted = "NAME:PORT with NAME one of echo, discard, source, http and PORT 1..65535";

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
