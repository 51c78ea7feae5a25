using Tapwire.Stack.Buffers;

namespace Tapwire.Messages;

/// <summary>
/// The messages that have carried a buffer, kept with it for its life. They are immutable, so an equal message is sent again instead of a new one: in a steady
/// state nothing is allocated. Only the owner of the buffer may use them.
/// </summary>
internal sealed class BufferMessages(Frame frame)
{
    public Frame Frame { get; } = frame;

    public ReadReady? ReadReady { get; set; }

    public WriteRequest? WriteRequest { get; set; }

    public DatagramReceived? DatagramReceived { get; set; }

    public SendDatagram? SendDatagram { get; set; }

    public static BufferMessages Of(PacketBuffer buffer)
    {
        if (buffer.Carrier is BufferMessages messages)
            return messages;
        messages = new BufferMessages(new Frame(buffer));
        buffer.Carrier = messages;
        return messages;
    }
}
