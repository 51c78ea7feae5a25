using Tapwire.Tests.Live.Proxy;

namespace Tapwire.Tests.Live.Support;

/// <summary>sshd for root, and ssh's way to it.</summary>
internal static class SshServer
{
    /// <summary>Starts sshd on all addresses of a namespace, with which it ends; it does not listen yet.</summary>
    /// <returns>The file of the key that opens it, in <paramref name="directory"/>.</returns>
    public static string Start(NetworkNamespace network, string directory, int port)
    {
        ProxiedDriver.MakeDirectory("/run/sshd");
        // The host's own key is another one: sshd wants to be its only reader.
        var (host, key) = (Path.Combine(directory, "host-key"), Path.Combine(directory, "key"));
        foreach (var file in (string[])[host, key])
            network.Exec("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file);
        network.Start("/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-h", host, "-p", $"{port}", "-o", $"AuthorizedKeysFile={key}.pub", "-o", "StrictModes=no", "-o", "PermitRootLogin=yes",
            "-o", "UsePAM=no", "-o", "PidFile=none");
        return key;
    }

    /// <summary>Options of ssh for a host that nobody knows, without questions.</summary>
    public static string[] ClientOptions(string key, int port) =>
        ["-F", "/dev/null", "-i", key, "-p", $"{port}", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=30"];
}
