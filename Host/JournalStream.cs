using System.Globalization;
using Tapwire.Posix;

namespace Tapwire.Host;

/// <summary>Whether standard error is the journal's (systemd.exec(5), JOURNAL_STREAM).</summary>
internal static class JournalStream
{
    private const string Variable = "JOURNAL_STREAM";

    /// <remarks>The variable stays where output has been sent elsewhere, so that it has to be compared.</remarks>
    public static bool IsStandardError => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named && FileStatus.TryOf("/proc/self/fd/2", followLinks: true) is { } status
        && Names(named, (uint)(status.Device >> 32), (uint)status.Device, status.Inode);

    /// <summary>The variable has st_dev, in which glibc's makedev(3) puts major and minor together.</summary>
    internal static bool Names(string variable, uint major, uint minor, ulong inode)
    {
        var device = ((ulong)(major & 0xFFFF_F000) << 32) | ((major & 0xFFFu) << 8) | ((ulong)(minor & 0xFFFF_FF00) << 12) | (minor & 0xFFu);
        return variable == string.Create(CultureInfo.InvariantCulture, $"{device}:{inode}");
    }
}
