using System.Diagnostics;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Proxy;

/// <summary>The PROXY protocol to an unmodified nginx, behind an exposed port and behind a forwarded one, which says whom it takes its client for.</summary>
[Collection(LiveServicesCollection.Name)]
public sealed class ProxyProtocolSpec : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-nginx-");
    private readonly LiveDriver _driver = LiveDriver.Start("", $"tap:{LiveDriver.Device}",
        [.. LiveDriver.V6, "--expose", "tcp+proxy:8081=127.0.0.1:8000,tcp:8082=127.0.0.1:8001", "--forward", $"tcp+proxy:127.0.0.1:8080={LiveDriver.KernelAddress}:8000"]);

    public void Dispose()
    {
        _driver.Dispose();
        _directory.Delete(recursive: true);
    }

    [SkippableFact]
    public void A_server_sees_the_client_and_not_the_driver()
    {
        ProxiedDriver.Need(_driver.Namespace, "nginx", "curl");
        StartNginx();
        Assert.Equal($"{LiveDriver.KernelAddress} {LiveDriver.Address} 8081", Get($"http://{LiveDriver.Address}:8081/"));
        Assert.Equal($"{LiveDriver.KernelAddressV6} {LiveDriver.AddressV6} 8081", Get($"http://[{LiveDriver.AddressV6}]:8081/"));
        Assert.Equal("127.0.0.1 127.0.0.1 8080", Get("http://127.0.0.1:8080/"));
        Assert.Equal("127.0.0.1", Get($"http://{LiveDriver.Address}:8082/")); // without the word nobody is named
        // A large request and its answer, behind the header.
        var body = Path.Combine(_directory.FullName, "body");
        File.WriteAllBytes(body, new byte[300_000]);
        Assert.Equal($"{LiveDriver.KernelAddress} {LiveDriver.Address} 8081", _driver.Namespace.Exec("curl", "-sS", "-m", "20", "--data-binary", $"@{body}", $"http://{LiveDriver.Address}:8081/"));
    }

    private string Get(string url) => _driver.Namespace.Exec("curl", "-sS", "-m", "20", url);

    private void StartNginx()
    {
        var path = _directory.FullName;
        File.WriteAllText(Path.Combine(path, "nginx.conf"), $$"""
            daemon off; master_process off; pid {{path}}/pid; error_log {{path}}/log;
            events {}
            http {
              access_log off; client_body_temp_path {{path}}/b; proxy_temp_path {{path}}/p; fastcgi_temp_path {{path}}/f; uwsgi_temp_path {{path}}/u; scgi_temp_path {{path}}/s;
              server { listen 8000 proxy_protocol; location / { return 200 "$proxy_protocol_addr $proxy_protocol_server_addr $proxy_protocol_server_port"; } }
              server { listen 8001; location / { return 200 "$remote_addr"; } }
            }
            """);
        _driver.Namespace.Start("sh", "-c", $"PATH=$PATH:/usr/sbin exec nginx -c {path}/nginx.conf");
        var patience = Stopwatch.StartNew();
        while (_driver.Namespace.TryExec("curl", "-sS", "-m", "2", "http://127.0.0.1:8001/").ExitCode != 0)
            Assert.True(patience.Elapsed < Patience, $"nginx does not come: {(File.Exists($"{path}/log") ? File.ReadAllText($"{path}/log") : "")}");
    }
}
