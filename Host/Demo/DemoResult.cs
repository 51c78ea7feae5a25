using Tapwire.Messages;
using Tapwire.Wires;

namespace Tapwire.Host.Demo;

/// <summary>The result of a demo.</summary>
internal sealed record DemoResult(string SentHash, string ReceivedHash, TimeSpan Elapsed, StackStatus Sender, StackStatus Receiver,
    CableCounters Forward, CableCounters Back)
{
    public bool Intact => SentHash == ReceivedHash;
}
