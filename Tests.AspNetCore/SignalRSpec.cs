using System.Net.WebSockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.SignalR;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Tapwire.AspNetCore;
using Xunit;

namespace Tapwire.Tests.AspNetCore;

/// <summary>SignalR on a network of Tapwire's, by each of its transports.</summary>
[Collection(LabCollection.Name)]
public sealed class SignalRSpec
{
    [Theory]
    [InlineData(HttpTransportType.WebSockets)]
    [InlineData(HttpTransportType.ServerSentEvents)]
    [InlineData(HttpTransportType.LongPolling)]
    public Task A_hub_is_called_and_calls_back(HttpTransportType transport) => Lab.RunAsync(8, async lab =>
    {
        lab.Cable.Latency = TimeSpan.FromMilliseconds(10);
        var server = await lab.AddHostAsync("server", "10.0.0.1");
        var client = await lab.AddHostAsync("client", "10.0.0.2");
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSignalR();
        builder.WebHost.UseTapwire(server.Network).ConfigureKestrel(static kestrel => kestrel.ListenAnyIP(80));
        await using var app = builder.Build();
        app.MapHub<EchoHub>("/echo");
        await app.StartAsync();

        await using var connection = new HubConnectionBuilder().WithUrl("http://server/echo", transport, options =>
        {
            options.HttpMessageHandlerFactory = _ => client.Network.CreateHttpHandler();
            options.WebSocketFactory = async (context, cancel) =>
            {
                var socket = new ClientWebSocket();
                using var invoker = new HttpMessageInvoker(client.Network.CreateHttpHandler(), disposeHandler: false);
                await socket.ConnectAsync(context.Uri, invoker, cancel);
                return socket;
            };
        }).Build();
        var heard = new TaskCompletionSource<string>();
        connection.On<string>("Heard", heard.SetResult);
        await connection.StartAsync();
        Assert.Equal("there and back", await connection.InvokeAsync<string>("Echo", "there and back"));
        Assert.Equal("there and back", await heard.Task);
        await connection.StopAsync();
        await app.StopAsync();
    });

    private sealed class EchoHub : Hub
    {
        public async Task<string> Echo(string text)
        {
            await Clients.Caller.SendAsync("Heard", text);
            return text;
        }
    }
}
