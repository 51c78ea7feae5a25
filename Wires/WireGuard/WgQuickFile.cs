using System.Security.Cryptography;
using System.Text;
using Tapwire.Posix;
using Tapwire.Stack.Ip;

namespace Tapwire.Wires.WireGuard;

/// <summary>
/// A configuration as wg-quick(8) and wg(8) read it: one [Interface] and any number of [Peer] sections. Reading it is not using it: commands such as PostUp are never run. It owns its keys, which
/// are erased when it is disposed.
/// </summary>
public sealed class WgQuickFile : IDisposable
{
    /// <summary>What wg-quick takes where it cannot see the route to the peer: room for an Ethernet frame, IPv6, UDP and WireGuard.</summary>
    public const int DefaultMtu = 1420;

    /// <summary>What every IPv4 host reassembles; and a UDP datagram's most, less WireGuard's own bytes.</summary>
    public const int MinMtu = 576;

    /// <inheritdoc cref="MinMtu"/>
    public const int MaxMtu = 65440;

    /// <summary>A larger file is no configuration.</summary>
    private const int MaxLength = 1 << 20;

    private const uint ModeOfOthers = 0x3F; // 077

    internal WgQuickFile(string name) => Name = name;

    /// <summary>The file's name, for messages.</summary>
    public string Name { get; }

    public required SecretKey PrivateKey { get; init; }

    /// <summary>The UDP port; 0: any.</summary>
    public int ListenPort { get; init; }

    /// <summary>SO_MARK of what is sent; 0: none.</summary>
    public uint FwMark { get; init; }

    /// <summary>Our addresses, of both families, in the file's order.</summary>
    public IReadOnlyList<IpPrefix> Addresses { get; init; } = [];

    /// <summary>Name servers, of both families, in the file's order.</summary>
    public IReadOnlyList<IpAddress> Dns { get; init; } = [];

    /// <summary>Entries of DNS that are no addresses: domains in which names are looked up.</summary>
    public IReadOnlyList<string> SearchDomains { get; init; } = [];

    /// <summary>Bytes of an IP packet.</summary>
    public int Mtu { get; init; } = DefaultMtu;

    /// <summary>Allowed IPs are routes; false with "Table = off".</summary>
    public bool HasRoutes { get; init; } = true;

    public IReadOnlyList<WireGuardPeerOptions> Peers { get; init; } = [];

    /// <summary>What of the file has no effect here, and why, in a sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>The networks that the peers have together, each once.</summary>
    public IReadOnlyList<IpPrefix> Routes => HasRoutes ? [.. Peers.SelectMany(static peer => peer.AllowedIps).Distinct()] : [];

    /// <summary>Reads a file. As with ssh, a file of our own that others may read is refused, because it has a private key in it.</summary>
    /// <exception cref="WireException">It cannot be read, or is no such configuration; the message has the line.</exception>
    public static WgQuickFile Read(string path)
    {
        var name = Path.GetFileName(path);
        var bytes = new byte[MaxLength + 1];
        var text = Array.Empty<char>();
        try
        {
            CheckMode(path);
            int length;
            using (var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0))
                length = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (length > MaxLength)
                throw new WireException($"{path} is larger than a WireGuard configuration can be; name one, as in wg:office.conf.");
            text = new char[Encoding.UTF8.GetCharCount(bytes, 0, length)];
            Encoding.UTF8.GetChars(bytes, 0, length, text, 0);
            return Parse(name, text);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new WireException($"There is no WireGuard configuration {path}; name one, as in wg:office.conf.", e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new WireException($"The WireGuard configuration {path} may not be read by this user; make the user its owner.", e);
        }
        catch (Exception e) when (e is IOException and not WireException)
        {
            throw new WireException($"The WireGuard configuration {path} cannot be read: {e.Message.TrimEnd('.')}.", e);
        }
        finally
        {
            // The text has the private key in it.
            CryptographicOperations.ZeroMemory(bytes);
            Array.Clear(text);
        }
    }

    /// <summary>Reads the text of a file.</summary>
    /// <exception cref="WireException">It is no such configuration.</exception>
    public static WgQuickFile Parse(string name, ReadOnlySpan<char> text)
    {
        using var reader = new WgQuickReader(name);
        var number = 0;
        foreach (var line in text.EnumerateLines())
            reader.Take(line, ++number);
        return reader.Finish();
    }

    public void Dispose()
    {
        PrivateKey.Dispose();
        foreach (var peer in Peers)
            peer.PresharedKey?.Dispose();
    }

    private static void CheckMode(string path)
    {
        if (FileStatus.TryOf(path, followLinks: true) is not { } status)
            return; // opening it says why
        if (status.IsDirectory)
            throw new WireException($"{path} is a directory; name a WireGuard configuration in it, as in wg:office.conf.");
        if (status.IsFile && status.Owner == Libc.geteuid() && (status.Mode & ModeOfOthers) != 0)
            throw new WireException($"Others may use {path}, which has a private key in it (mode {Convert.ToString(status.Mode & 0x1FF, 8)}); run 'chmod 600 {path}'.");
    }
}
