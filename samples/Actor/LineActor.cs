using Akka.Actor;

namespace Tapwire.Samples.Actor;

/// <summary>Owns one connection: sends each line that it is told, and tells the line that comes back to whoever has asked. A connection that fails ends the actor.</summary>
public sealed class LineActor : ReceiveActor, IWithUnboundedStash
{
    private readonly TapwireNetwork _network;
    private readonly string _server;
    private readonly int _port;
    private TapwireStream? _stream;
    private StreamReader? _reader;

    /// <summary>Made by <see cref="Props(TapwireNetwork, string, int)"/>.</summary>
    public LineActor(TapwireNetwork network, string server, int port)
    {
        (_network, _server, _port) = (network, server, port);
        Connecting();
    }

    /// <inheritdoc/>
    public IStash Stash { get; set; } = null!;

    /// <summary>Connects when it starts.</summary>
    public static Props Props(TapwireNetwork network, string server, int port) => Akka.Actor.Props.Create(() => new LineActor(network, server, port));

    /// <inheritdoc/>
    protected override void PreStart() => _network.ConnectAsync(_server, _port).PipeTo(Self);

    /// <inheritdoc/>
    protected override void PostStop() => _stream?.Dispose();

    private void Connecting()
    {
        Receive<TapwireStream>(stream =>
        {
            _stream = stream;
            _reader = new StreamReader(stream);
            Become(Idle);
            Stash.UnstashAll();
        });
        Receive<Status.Failure>(Fail);
        Receive<string>(_ => Stash.Stash());
    }

    private void Idle() => Receive<string>(line =>
    {
        ExchangeAsync(line).PipeTo(Self);
        Become(() => Waiting(Sender));
    });

    /// <summary>One line at a time: the next one waits for this one's answer.</summary>
    private void Waiting(IActorRef asker)
    {
        Receive<Answer>(answer =>
        {
            asker.Tell(answer.Line);
            Become(Idle);
            Stash.UnstashAll();
        });
        Receive<Status.Failure>(failure =>
        {
            asker.Tell(failure);
            Fail(failure);
        });
        Receive<string>(_ => Stash.Stash());
    }

    private async Task<Answer> ExchangeAsync(string line)
    {
        await _stream!.WriteAsync(System.Text.Encoding.UTF8.GetBytes(line + "\n"));
        return new Answer(await _reader!.ReadLineAsync() ?? throw new EndOfStreamException("The server has ended the connection."));
    }

    private void Fail(Status.Failure failure) => throw failure.Cause;

    private sealed record Answer(string Line);
}
