namespace Tapwire.Messages;

/// <summary>A message that owns pooled buffers. A receiver that cannot handle it releases them; so does the reader of dead letters.</summary>
public interface IOwnsBuffers
{
    /// <summary>Returns the buffers to the pool. Called at most once, by the message's last holder.</summary>
    void Release();
}
