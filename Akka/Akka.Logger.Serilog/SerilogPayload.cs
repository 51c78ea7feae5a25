using Serilog.Core;

namespace Akka.Logger.Serilog;

/// <summary>A log message with the properties that its adapter adds.</summary>
internal sealed record SerilogPayload(object Message, IReadOnlyList<ILogEventEnricher> Enrichers)
{
    public override string ToString() => Message.ToString();
}
