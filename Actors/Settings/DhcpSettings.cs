using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack.Dhcp;

namespace Tapwire.Actors.Settings;

/// <summary>How DHCP servers know a client again.</summary>
public enum DhcpIdentity
{
    /// <summary>By a name of the driver's and one of the interface (RFC 4361), which stay when the Ethernet address changes.</summary>
    Duid,

    /// <summary>By the Ethernet address.</summary>
    Hardware,
}

/// <summary>Section <c>tapwire.dhcp-client</c>, and <c>tapwire.state-directory</c>: what holds for the DHCP clients of all interfaces.</summary>
/// <param name="HostName">The name that servers may enter for this host; empty: none.</param>
/// <param name="Release">Addresses are given back at the driver's end. Otherwise the next start asks for the same ones.</param>
/// <param name="StateDirectory">Where leases are kept between two starts; empty: a directory of the user's; "off": they are not.</param>
public sealed record DhcpSettings(string HostName, bool Release, DhcpIdentity Identity, string StateDirectory)
{
    public const string AcceptedName = "the name of a host, of letters, digits, '-' and '.', up to 63";

    public const string AcceptedDirectory = "the path of a directory from / on, off, or empty";

    /// <summary>The words for the identities in settings.</summary>
    public static readonly IReadOnlyDictionary<string, DhcpIdentity> Identities = new Dictionary<string, DhcpIdentity> { ["duid"] = DhcpIdentity.Duid, ["mac"] = DhcpIdentity.Hardware };

    public bool KeepsNothing => StateDirectory == "off";

    /// <param name="problem">With false: empty, because the text is no name at all.</param>
    public static bool TryParseName(string text, out string name, [NotNullWhen(false)] out string? problem)
    {
        name = text;
        var isName = text.Length is > 0 and < DhcpMessage.MaxText && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.') && char.IsAsciiLetterOrDigit(text[0]) && char.IsAsciiLetterOrDigit(text[^1]);
        problem = isName ? null : "";
        return isName;
    }

    public static bool IsDirectory(string text) => text is "" or "off" or ['/', ..];

    /// <summary>
    /// The directory that leases are kept in: the setting's; else that of the service manager ($STATE_DIRECTORY, systemd.exec(5)); else, for root, /var/lib/tapwire, and for others the one below
    /// $XDG_STATE_HOME, which is ~/.local/state unless it is set (XDG base directories).
    /// </summary>
    /// <returns>Null: there is none.</returns>
    public string? Directory()
    {
        if (KeepsNothing)
            return null;
        if (StateDirectory.Length > 0)
            return StateDirectory;
        // Several are separated by colons.
        if (Environment.GetEnvironmentVariable("STATE_DIRECTORY")?.Split(':') is [['/', ..] managed, ..])
            return managed;
        if (Environment.IsPrivilegedProcess)
            return "/var/lib/tapwire";
        if (Environment.GetEnvironmentVariable("XDG_STATE_HOME") is ['/', ..] state)
            return Path.Combine(state, "tapwire");
        return Environment.GetEnvironmentVariable("HOME") is ['/', ..] home ? Path.Combine(home, ".local/state/tapwire") : null;
    }

    public override string ToString() => $"{HostName}, {Release}, {Identity}, {StateDirectory}";
}
