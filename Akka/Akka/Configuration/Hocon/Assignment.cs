namespace Akka.Configuration.Hocon;

/// <summary>
/// One <c>key = value</c>. A substitution inside it that leads to its own key means what the key was before,
/// and an object is merged into an object that was there before, even if only a substitution says that they are objects.
/// </summary>
/// <param name="Slot">The value behind the key.</param>
/// <param name="Previous">What it was before; null if the key is new.</param>
internal sealed record Assignment(HoconValue Slot, HoconValue Previous);
