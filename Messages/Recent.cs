namespace Tapwire.Messages;

/// <summary>
/// Small messages that a thread has made recently. They are immutable, so an equal message can be the same object. Amounts repeat, so that in a steady state
/// hardly one is allocated.
/// </summary>
internal static class Recent<TMessage>
    where TMessage : class
{
    private const int Bits = 8;

    [ThreadStatic]
    private static TMessage?[]? t_messages;

    /// <summary>The place of a message with that content.</summary>
    public static ref TMessage? At(int content) => ref (t_messages ??= new TMessage?[1 << Bits])[(int)((uint)content * 0x9E37_79B1 >> (32 - Bits))];
}
