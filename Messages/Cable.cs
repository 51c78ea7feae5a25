using Akka.Event;

namespace Tapwire.Messages;

/// <summary>CableActor's answer to <see cref="GetStatus"/>: its two ends.</summary>
public sealed record CableStatus(CablePortStatus A, CablePortStatus B);

/// <summary>CablePortActor's answer to <see cref="GetStatus"/>: totals since the start.</summary>
/// <param name="Up">The device works.</param>
/// <param name="FramesDropped">Frames dropped because the device was gone.</param>
/// <param name="FramesRefused">Frames that the device, or the cable, refused: longer than its MTU, or malformed.</param>
public sealed record CablePortStatus(string Name, bool Up, long FramesDropped, long FramesRefused) : IDeadLetterSuppression;
