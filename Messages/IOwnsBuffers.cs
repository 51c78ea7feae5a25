namespace Tapwire.Messages;

/// <summary>A message that owns pooled buffers. Whoever cannot handle it, dead letters included, releases them.</summary>
public interface IOwnsBuffers
{
    /// <summary>Returns the buffers to the pool. Called at most once, by the message's last holder.</summary>
    void Release();
}
