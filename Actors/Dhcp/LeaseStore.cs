using System.Globalization;
using System.Text;
using System.Text.Json;
using Tapwire.Stack.Dhcp.V6;

namespace Tapwire.Actors.Dhcp;

/// <summary>LeaseStore → DhcpActor, Dhcp6Actor: what was kept when the client ran last.</summary>
/// <param name="Message">The server's message; null: nothing, or nothing that can be read.</param>
/// <param name="Ends">When that lease ends; <see cref="DateTimeOffset.MaxValue"/>: never.</param>
/// <param name="Duid">The driver's own name for servers (RFC 8415, 11); null: none can be kept.</param>
/// <param name="Problem">Why something cannot be kept, in a sentence; null if all is well.</param>
internal sealed record KeptLease(byte[]? Message, DateTimeOffset Ends, byte[]? Duid, string? Problem)
{
    public static readonly KeptLease Nothing = new(null, default, null, null);

    /// <summary>How long the lease holds. A clock that was put back makes no lease longer than its own time.</summary>
    /// <param name="lifetime">The lease's; null: there is none.</param>
    public TimeSpan Left(TimeSpan? lifetime, TimeProvider clock)
    {
        var left = lifetime is null ? TimeSpan.Zero : Ends - clock.GetUtcNow();
        return left > lifetime ? lifetime.Value : left;
    }
}

/// <summary>LeaseStore → DhcpActor, Dhcp6Actor: the lease has been written, or removed.</summary>
/// <param name="Problem">As above.</param>
internal sealed record LeaseWritten(string? Problem);

/// <summary>
/// The lease of an interface in a file, and the driver's DUID in another one of the same directory. Only their owner reads them: whoever could write them could choose the driver's name servers.
/// A file is replaced as a whole, so that a crash leaves the old one or the new one. Reading and writing are the thread pool's work.
/// </summary>
/// <param name="directory">It is made if it is not there. Null: nothing is kept, and nothing may be read or written.</param>
/// <param name="file">The name of the lease's file.</param>
internal sealed class LeaseStore(string? directory, string file)
{
    /// <summary>The longest message, as text, and what stands around it.</summary>
    private const int MaxBytes = 2 * Dhcp6.MaxLength + 1024;

    /// <summary>DUID-UUID (RFC 6355): two bytes of type, and sixteen that nobody else has.</summary>
    private const int DuidLength = 18;
    private const byte DuidUuid = 4;

    private const UnixFileMode OwnersOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>The clients of all interfaces have one DUID, and are started together: the first of them makes it.</summary>
    private static readonly Lock Making = new();

    private Task _last = Task.CompletedTask;

    public bool KeepsNothing => directory is null;

    private string LeaseFile => Path.Combine(directory!, file);

    private string DuidFile => Path.Combine(directory!, "duid");

    /// <summary>Reads what was kept. Never fails.</summary>
    public Task<KeptLease> ReadAsync() => Task.Run(Read);

    /// <summary>Keeps a server's message; null removes what was kept. Never fails. What is asked for first is done first.</summary>
    /// <param name="ends">See <see cref="KeptLease"/>.</param>
    public Task<LeaseWritten> WriteAsync(ReadOnlyMemory<byte>? message, DateTimeOffset ends)
    {
        var written = _last.ContinueWith(_ => new LeaseWritten(Attempt(() =>
        {
            if (message is { } kept)
                Replace(LeaseFile, Format(kept, ends));
            else
                File.Delete(LeaseFile);
        })), TaskScheduler.Default);
        _last = written;
        return written;
    }

    private KeptLease Read()
    {
        byte[]? duid = null;
        (byte[] Message, DateTimeOffset Ends)? kept = null;
        var problem = Attempt(() =>
        {
            lock (Making)
                duid = ReadDuid();
            kept = Parse(ReadSmall(LeaseFile));
        });
        return new KeptLease(kept?.Message, kept?.Ends ?? default, duid, problem);
    }

    /// <returns>Null, or what is wrong.</returns>
    private static string? Attempt(Action action)
    {
        try
        {
            action();
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return e.Message;
        }
    }

    private byte[] ReadDuid()
    {
        if (ReadSmall(DuidFile) is { } text && text.Trim() is { Length: 2 * DuidLength } digits && digits.All(char.IsAsciiHexDigit))
            return Convert.FromHexString(digits);
        byte[] made = [0, DuidUuid, .. Guid.NewGuid().ToByteArray()];
        Replace(DuidFile, Convert.ToHexStringLower(made) + "\n");
        return made;
    }

    /// <returns>Null: there is no such file, or it is longer than any of these.</returns>
    private static string? ReadSmall(string file)
    {
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            var bytes = new byte[MaxBytes + 1];
            var length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return length > MaxBytes ? null : Encoding.UTF8.GetString(bytes, 0, length);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
    }

    private void Replace(string file, string text)
    {
#pragma warning disable CA1416 // Modes of files are not Windows', and neither is Tapwire.
        Directory.CreateDirectory(directory!, OwnersOnly | UnixFileMode.UserExecute);
        var next = file + ".new";
        File.Delete(next);
        using (var stream = new FileStream(next, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnersOnly }))
        {
            stream.Write(Encoding.UTF8.GetBytes(text));
            stream.Flush(flushToDisk: true);
        }

#pragma warning restore CA1416
        File.Move(next, file, overwrite: true);
    }

    private static string Format(ReadOnlyMemory<byte> message, DateTimeOffset ends) =>
        $$"""{"version":1,"ends":"{{ends.ToString("O", CultureInfo.InvariantCulture)}}","message":"{{Convert.ToBase64String(message.Span)}}"}{{'\n'}}""";

    /// <summary>The client reads the server's message as strictly as when it came: nobody knows what has become of the file.</summary>
    private static (byte[], DateTimeOffset)? Parse(string? text)
    {
        try
        {
            if (text is null)
                return null;
            using var json = JsonDocument.Parse(text);
            var root = json.RootElement;
            if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("version", out var version) || !version.TryGetInt32(out var number) || number != 1
                || !root.TryGetProperty("ends", out var ends) || !ends.TryGetDateTimeOffset(out var at)
                || !root.TryGetProperty("message", out var message) || !message.TryGetBytesFromBase64(out var bytes))
                return null;
            return (bytes, at);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
