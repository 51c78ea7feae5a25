using System.Net;
using System.Text;
using Akka.Actor;
using Grpc.Core;
using Tapwire.Samples.Actor;
using Tapwire.Samples.Chat;
using Tapwire.Samples.Grpc;
using Tapwire.Samples.ReverseProxy;
using Tapwire.Samples.Web;
using Xunit;

namespace Tapwire.Tests.AspNetCore;

/// <summary>Specs with labs: nothing else runs beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class LabCollection
{
    public const string Name = "lab";
}

/// <summary>The samples do what they say, in labs.</summary>
[Collection(LabCollection.Name)]
public sealed class SamplesSpec
{
    [Fact]
    public Task Two_ends_of_a_chat_hear_each_other() => Lab.RunAsync(1, async lab =>
    {
        var (first, second) = await TwoAsync(lab);
        var heard = new List<string>();
        await Task.WhenAll(
            ChatRoom.RunAsync(first.Network, new IPEndPoint(second.Address, ChatRoom.Port), Lines("how are you?"), line => heard.Add($"first: {line}")),
            ChatRoom.RunAsync(second.Network, new IPEndPoint(first.Address, ChatRoom.Port), Lines("fine", "and you?"), line => heard.Add($"second: {line}")));
        Assert.Equal(["first: and you?", "first: fine", "second: how are you?"], heard.Order(StringComparer.Ordinal));

        async IAsyncEnumerable<string> Lines(params string[] lines)
        {
            foreach (var line in lines)
            {
                await Task.Delay(TimeSpan.FromSeconds(1), lab.Time);
                yield return line;
            }

            await Task.Delay(TimeSpan.FromSeconds(5), lab.Time);
        }
    });

    [Fact]
    public Task A_reverse_proxy_asks_a_service_and_answers_with_it() => Lab.RunAsync(2, async lab =>
    {
        var (server, client) = await TwoAsync(lab);
        var proxy = await lab.AddHostAsync("proxy", "10.0.0.3");
        await using var service = HelloService.Build(server.Network);
        await service.StartAsync();
        await using var between = ProxyService.Build(proxy.Network, $"http://first:{HelloService.Port}/");
        await between.StartAsync();
        using var http = new HttpClient(client.Network.CreateHttpHandler());
        Assert.Equal("Hello you, you come from ::ffff:10.0.0.2.", await http.GetStringAsync(new Uri($"http://10.0.0.1:{HelloService.Port}/hello/you")));
        Assert.Equal("Hello you, you come from ::ffff:10.0.0.3.", await http.GetStringAsync(new Uri("http://proxy/hello/you")));
        await between.StopAsync();
        await service.StopAsync();
    });

    [Fact]
    public Task A_gRPC_service_is_called_once_and_by_a_stream_and_its_errors_arrive() => Lab.RunAsync(5, async lab =>
    {
        var (server, client) = await TwoAsync(lab);
        lab.Cable.Loss = 0.02;
        await using var service = GreeterService.Build(server.Network);
        await service.StartAsync();
        using var channel = GreeterService.Connect(client.Network, "first");
        var greeter = new Greeter.GreeterClient(channel);
        Assert.Equal("Hello you.", (await greeter.GreetAsync(new GreetRequest { Name = "you" })).Text);
        using (var call = greeter.GreetEach())
        {
            foreach (var name in (string[])["one", "two", "three"])
            {
                await call.RequestStream.WriteAsync(new GreetRequest { Name = name });
                Assert.True(await call.ResponseStream.MoveNext());
                Assert.Equal($"Hello {name}.", call.ResponseStream.Current.Text);
            }

            await call.RequestStream.CompleteAsync();
            Assert.False(await call.ResponseStream.MoveNext());
        }

        var refused = await Assert.ThrowsAsync<RpcException>(async () => await greeter.GreetAsync(new GreetRequest()));
        Assert.Equal((StatusCode.InvalidArgument, "Whom?"), (refused.StatusCode, refused.Status.Detail));
        await service.StopAsync();
    });

    [Fact]
    public Task An_actor_owns_a_connection() => Lab.RunAsync(4, async lab =>
    {
        var (server, client) = await TwoAsync(lab);
        await using var listener = await server.Network.ListenAsync(7);
        var serving = AnswerAsync(listener, "first answer\n", "second answer\n");
        using var system = ActorSystem.Create("sample");
        var actor = system.ActorOf(LineActor.Props(client.Network, "first", 7));
        var both = await Task.WhenAll(actor.Ask<string>("one"), actor.Ask<string>("two"));
        Assert.Equal(["first answer", "second answer"], both);
        Assert.Equal("one\ntwo\n", await serving);
        await system.Terminate();
    });

    private static async Task<(LabHost First, LabHost Second)> TwoAsync(Lab lab)
    {
        lab.Cable.Latency = TimeSpan.FromMilliseconds(10);
        return (await lab.AddHostAsync("first", "10.0.0.1"), await lab.AddHostAsync("second", "10.0.0.2"));
    }

    /// <summary>Answers each thing that comes with the next answer.</summary>
    /// <returns>All that has come.</returns>
    private static async Task<string> AnswerAsync(TapwireListener listener, params string[] answers)
    {
        await using var stream = await listener.AcceptAsync();
        var all = new StringBuilder();
        var buffer = new byte[1000];
        foreach (var answer in answers)
        {
            all.Append(Encoding.UTF8.GetString(buffer, 0, await stream.ReadAsync(buffer)));
            await stream.WriteAsync(Encoding.UTF8.GetBytes(answer));
        }

        return all.ToString();
    }
}
