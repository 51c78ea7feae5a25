namespace Tapwire.Bench.EndToEnd;

/// <summary>A contestant cannot take part here. The message says what is missing.</summary>
internal sealed class MissingException(string reason) : Exception(reason);
