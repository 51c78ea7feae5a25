namespace Tapwire.Stack.Ip;

/// <summary>What may become of a packet on its way.</summary>
internal enum Fragmentation : byte
{
    /// <summary>It has "don't fragment", and is dropped where it does not fit.</summary>
    Forbidden,

    /// <summary>It has "don't fragment" where it fits; a longer one leaves in fragments.</summary>
    Avoided,

    /// <summary>Anybody may fragment it.</summary>
    Allowed,
}
