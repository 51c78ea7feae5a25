namespace Tapwire.Messages;

/// <summary>
/// Small messages that a thread has made lately. They are immutable, so one that says the same again can be the same object: amounts repeat, and in a steady state
/// hardly one is allocated.
/// </summary>
internal static class Recent<TMessage>
    where TMessage : class
{
    private const int Bits = 8;

    [ThreadStatic]
    private static TMessage?[]? t_messages;

    /// <summary>Where a message with that content would be.</summary>
    public static ref TMessage? At(int content) => ref (t_messages ??= new TMessage?[1 << Bits])[(int)((uint)content * 0x9E37_79B1 >> (32 - Bits))];
}
