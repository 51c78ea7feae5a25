namespace Tapwire.Actors.Settings;

/// <summary>Section <c>tapwire.http</c>: the live page of the http services.</summary>
/// <param name="TokenFile">The file with the token that its operators show; empty: there is none, and everybody has the public figures alone.</param>
/// <param name="CaptureMemory">Bytes that a capture which the page begins may hold, <see cref="MinCaptureMemory"/>..<see cref="MaxCaptureMemory"/>.</param>
public sealed record HttpSettings(string TokenFile, int CaptureMemory)
{
    public const int MinCaptureMemory = 1 << 20;

    public const int MaxCaptureMemory = 1 << 30;

    public static HttpSettings Default { get; } = new("", 16 << 20);
}
