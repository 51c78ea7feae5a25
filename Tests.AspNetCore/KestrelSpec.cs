using System.Net;
using System.Net.Http;
using System.Net.Security;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Tapwire.AspNetCore;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.AspNetCore;

/// <summary>Kestrel and HttpClient on a driver in this process: with each other, and with curl at the kernel's end of the wire.</summary>
public sealed class KestrelSpec
{
    private const string Address = "10.99.0.2";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [SkippableFact]
    public async Task Kestrel_serves_http_1_and_2_tls_and_websockets_to_both_ends_of_the_wire()
    {
        using var space = NetworkNamespace.Create();
        await using var network = await StartAsync(space);
        await using var app = Build(network);
        await app.StartAsync().WaitAsync(Patience);

        using var http = new HttpClient(network.CreateHttpHandler()) { Timeout = Patience };
        Assert.Equal($"HTTP/1.1 {Address}", await http.GetStringAsync($"http://{Address}/"));
        using var second = new HttpRequestMessage(HttpMethod.Get, $"http://{Address}:81/") { Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var answer = await http.SendAsync(second);
        Assert.Equal($"HTTP/2 {Address}", await answer.Content.ReadAsStringAsync());
        using var posted = await http.PostAsync($"http://{Address}/length", new ByteArrayContent(new byte[10 << 20]));
        Assert.Equal($"{10 << 20}", await posted.Content.ReadAsStringAsync());

        using var secureHandler = network.CreateHttpHandler();
        secureHandler.SslOptions = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = static (_, _, _, _) => true };
        using var secure = new HttpClient(secureHandler) { Timeout = Patience };
        Assert.Equal($"HTTP/1.1 {Address}", await secure.GetStringAsync($"https://{Address}/"));

        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri($"ws://{Address}/echo"), http, CancellationToken.None).WaitAsync(Patience);
        await socket.SendAsync("there and back"u8.ToArray(), WebSocketMessageType.Text, true, CancellationToken.None);
        var buffer = new byte[100];
        var received = await socket.ReceiveAsync(buffer, CancellationToken.None).WaitAsync(Patience);
        Assert.Equal("there and back"u8.ToArray(), buffer[..received.Count]);
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None).WaitAsync(Patience);

        // The kernel's end.
        Assert.Equal("HTTP/1.1 10.99.0.1", space.Exec("curl", "-sS", "--max-time", "60", $"http://{Address}/"));
        Assert.Equal("HTTP/2 10.99.0.1", space.Exec("curl", "-sS", "--max-time", "60", "--http2-prior-knowledge", $"http://{Address}:81/"));
        Assert.Equal("HTTP/2 10.99.0.1", space.Exec("curl", "-sSk", "--max-time", "60", "--http2", $"https://{Address}/"));
        Assert.Equal($"{20 << 20}", space.Exec("curl", "-sS", "--max-time", "60", "-o", "/dev/null", "-w", "%{size_download}", $"http://{Address}/large"));
        await app.StopAsync().WaitAsync(Patience);
    }

    [SkippableFact]
    public async Task Chromium_loads_a_page_by_http_2_and_talks_by_a_websocket()
    {
        Skip.If(Environment.GetEnvironmentVariable("TAPWIRE_BROWSER") is not { } modules || !Directory.Exists(Path.Combine(modules, "node_modules", "playwright-core")),
            "TAPWIRE_BROWSER names no directory with playwright-core: npm install --prefix DIRECTORY playwright-core");
        Skip.IfNot(File.Exists(Environment.GetEnvironmentVariable("TAPWIRE_CHROMIUM") ?? "/usr/bin/chromium"), "there is no chromium");
        using var space = NetworkNamespace.Create();
        await using var network = await StartAsync(space);
        await using var app = Build(network);
        await app.StartAsync().WaitAsync(Patience);
        var run = await Task.Run(() => space.TryExec("node", Path.Combine(AppContext.BaseDirectory, "kestrel.mjs"), $"https://{Address}/page", $"wss://{Address}/echo"));
        Assert.Equal((0, "Kestrel on Tapwire, h2, there and back\n", ""), (run.ExitCode, run.Output, run.Error));
        await app.StopAsync().WaitAsync(Patience);
    }

    [SkippableFact]
    public async Task A_host_starts_and_stops_the_driver_of_its_configuration()
    {
        using var space = NetworkNamespace.Create();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Configuration["Tapwire:Wire"] = "tap:tw0";
        builder.Configuration["Tapwire:Addresses:0"] = Address + "/24";
        builder.Services.AddTapwire(builder.Configuration.GetSection("Tapwire"));
        builder.Services.Configure<TapwireOptions>(options => options.OpenWithin = space.Run);
        builder.Services.AddHttpClient("office").UseTapwire();
        builder.WebHost.UseTapwire().UseUrls($"http://{Address}:8080");
        await using var app = builder.Build();
        app.MapGet("/", () => "hosted");
        await app.StartAsync().WaitAsync(Patience);
        using var http = app.Services.GetRequiredService<IHttpClientFactory>().CreateClient("office");
        Assert.Equal("hosted", await http.GetStringAsync($"http://{Address}:8080/").WaitAsync(Patience));
        var health = app.Services.GetRequiredService<HealthCheckService>();
        Assert.Equal(HealthStatus.Healthy, (await health.CheckHealthAsync()).Status);
        var network = await app.Services.GetRequiredService<TapwireService>().NetworkAsync();
        await app.StopAsync().WaitAsync(Patience);
        Assert.True(network.Ended.IsCompleted);
        Assert.Equal(HealthStatus.Unhealthy, (await health.CheckHealthAsync()).Status);
    }

    [SkippableFact]
    public async Task A_host_that_stops_while_its_driver_starts_leaves_no_driver()
    {
        using var space = NetworkNamespace.Create();
        var service = new TapwireService(Options.Create(new TapwireOptions { Wire = "tap:tw0", Addresses = [Address + "/24"], OpenWithin = space.Run }));
        var starting = service.NetworkAsync();
        await service.DisposeAsync().AsTask().WaitAsync(Patience);
        await Task.WhenAny(starting).WaitAsync(Patience);
        var end = DateTime.UtcNow + Patience;
        while (space.TryExec("ip", "link", "show", "tw0").ExitCode == 0)
            Assert.True(DateTime.UtcNow < end, "The device is still there.");
        var unused = new TapwireService(Options.Create(new TapwireOptions { Wire = "tap:tw0", OpenWithin = space.Run }));
        await unused.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => unused.NetworkAsync());
    }

    private static Task<TapwireDriver> StartAsync(NetworkNamespace space) => TapwireNetwork.StartAsync(new()
    {
        Wire = "tap:tw0",
        Addresses = [Address + "/24"],
        Settings = "tap.peer-address = \"10.99.0.1/24\"",
        OpenWithin = space.Run,
    }).WaitAsync(Patience);

    private static WebApplication Build(TapwireNetwork network)
    {
        var certificate = SelfSigned();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.UseTapwire(network).ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Parse(Address), 80);
            kestrel.Listen(IPAddress.Parse(Address), 81, listen => listen.Protocols = HttpProtocols.Http2);
            kestrel.Listen(IPAddress.Parse(Address), 443, listen => listen.UseHttps(certificate));
        });
        var app = builder.Build();
        app.Lifetime.ApplicationStopped.Register(certificate.Dispose);
        app.UseWebSockets();
        app.MapGet("/", (HttpContext context) => $"{context.Request.Protocol} {context.Connection.RemoteIpAddress}");
        app.MapGet("/page", static () => Results.Content("<!doctype html><title>Tapwire</title><h1>Kestrel on Tapwire</h1>", "text/html"));
        app.MapGet("/large", () => Results.Bytes(new byte[20 << 20]));
        app.MapPost("/length", async (HttpContext context) =>
        {
            var length = 0L;
            var buffer = new byte[65536];
            while (await context.Request.Body.ReadAsync(buffer) is > 0 and var read)
                length += read;
            return length;
        });
        app.Map("/echo", async (HttpContext context) =>
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            var buffer = new byte[1000];
            while (await socket.ReceiveAsync(buffer, CancellationToken.None) is { MessageType: not WebSocketMessageType.Close } received)
                await socket.SendAsync(buffer.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage, CancellationToken.None);
            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        });
        return app;
    }

    private static X509Certificate2 SelfSigned()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=tapwire", key, HashAlgorithmName.SHA256);
        using var made = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }
}
