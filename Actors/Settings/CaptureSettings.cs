namespace Tapwire.Actors.Settings;

/// <summary>Section <c>tapwire.capture</c>.</summary>
/// <param name="File">Where the packets of all interfaces are recorded from the start on; "-": standard output; empty: nowhere.</param>
/// <param name="SnapLength">Bytes recorded of each packet, for <paramref name="File"/>.</param>
/// <param name="Memory">Bytes that the packets of one capture may hold until they are written.</param>
/// <param name="MaxCaptures">Captures at once.</param>
public sealed record CaptureSettings(string File, int SnapLength, int Memory, int MaxCaptures)
{
    public const string StandardOutput = "-";
}
