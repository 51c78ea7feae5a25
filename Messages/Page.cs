using Akka.Event;
using Tapwire.Stack.Ip;

namespace Tapwire.Messages;

/// <summary>HttpActor → PageActor: a request for something of the driver's page that is no file. Answered by one <see cref="PageAnswer"/> in every state.</summary>
/// <param name="Path">As in "/status.json".</param>
/// <param name="Query">What follows the question mark, as the client has written it; empty: nothing.</param>
/// <param name="Token">What the client shows for itself; empty: nothing.</param>
/// <param name="Local">The driver's end of the client's connection.</param>
/// <param name="Remote">The client.</param>
public sealed record PageRequest(string Path, string Query, string Token, IpEndpoint Local, IpEndpoint Remote);

/// <summary>PageActor → HttpActor: the answer. Nobody changes the body any more.</summary>
/// <param name="Status">As in "200 OK".</param>
/// <param name="ContentType">As in "application/json".</param>
/// <param name="Body">The parts of the body, in their order.</param>
public sealed record PageAnswer(string Status, string ContentType, IReadOnlyList<ReadOnlyMemory<byte>> Body) : IDeadLetterSuppression
{
    /// <summary>Further header fields, each with its line end.</summary>
    public string Fields { get; init; } = "";
}
