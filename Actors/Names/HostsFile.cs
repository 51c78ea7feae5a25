using System.Text;
using Tapwire.Actors.Settings;
using Tapwire.Names;

namespace Tapwire.Actors.Names;

/// <summary>HostsFile → ResolverActor: the file has been read.</summary>
/// <param name="Table">Null: it is as it was before, or cannot be read.</param>
/// <param name="Problem">Why it cannot be read, in a sentence; null if it has been, or if that has been said before.</param>
internal sealed record HostsRead(HostsFile File, HostsTable? Table, string? Problem);

/// <summary>A hosts file, which is read again after it has changed. Reading is the thread pool's work.</summary>
/// <param name="path">Empty: there is none.</param>
internal sealed class HostsFile(string path)
{
    private (DateTime, long) _seen;
    private bool _hasFailed;

    public bool IsNone => path.Length == 0;

    /// <summary>A resolver that neither asks servers nor links needs none.</summary>
    public static HostsFile Of(DnsSettings settings) => new(settings.IsOff && settings.Mdns == MdnsMode.Off ? "" : settings.HostsFile);

    /// <summary>Reads the file. Never fails. One call at a time.</summary>
    public Task<HostsRead> ReadAsync() => Task.Run(Read);

    private HostsRead Read()
    {
        try
        {
            var file = new FileInfo(path);
            if (file.Exists && _seen == (file.LastWriteTimeUtc, file.Length))
                return new HostsRead(this, null, null);
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var bytes = new byte[HostsTable.MaxBytes + 1];
            var length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length > HostsTable.MaxBytes)
                return Failed($"{path} has more than {HostsTable.MaxBytes} bytes.");
            var table = HostsTable.Parse(Encoding.UTF8.GetString(bytes, 0, length));
            _seen = (file.LastWriteTimeUtc, file.Length);
            _hasFailed = false;
            return new HostsRead(this, table, null);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return Failed(e.Message);
        }
    }

    private HostsRead Failed(string problem)
    {
        var isNew = !_hasFailed;
        _hasFailed = true;
        _seen = default;
        return new HostsRead(this, HostsTable.Empty, isNew ? problem : null);
    }
}
