using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Tapwire.AspNetCore;

namespace Tapwire.Samples.Grpc;

/// <summary>The service of greeter.proto.</summary>
public sealed class GreeterService : Greeter.GreeterBase
{
    /// <summary>Where it listens, with HTTP/2 and without TLS.</summary>
    public const int Port = 5000;

    /// <summary>Builds the service on a network; the caller starts it.</summary>
    public static WebApplication Build(TapwireNetwork network)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Services.AddGrpc();
        builder.WebHost.UseTapwire(network).ConfigureKestrel(static kestrel => kestrel.ListenAnyIP(Port, static listen => listen.Protocols = HttpProtocols.Http2));
        var app = builder.Build();
        app.MapGrpcService<GreeterService>();
        return app;
    }

    /// <summary>A channel to the service on a host.</summary>
    public static GrpcChannel Connect(TapwireNetwork network, string host) =>
        GrpcChannel.ForAddress($"http://{host}:{Port}", new GrpcChannelOptions { HttpHandler = network.CreateHttpHandler(), DisposeHttpClient = true });

    /// <inheritdoc/>
    public override Task<GreetReply> Greet(GreetRequest request, ServerCallContext context) => Task.FromResult(Reply(request));

    /// <inheritdoc/>
    public override async Task GreetEach(IAsyncStreamReader<GreetRequest> requestStream, IServerStreamWriter<GreetReply> responseStream, ServerCallContext context)
    {
        await foreach (var request in requestStream.ReadAllAsync(context.CancellationToken))
            await responseStream.WriteAsync(Reply(request), context.CancellationToken);
    }

    private static GreetReply Reply(GreetRequest request) =>
        request.Name.Length > 0 ? new GreetReply { Text = $"Hello {request.Name}." } : throw new RpcException(new Status(StatusCode.InvalidArgument, "Whom?"));
}
