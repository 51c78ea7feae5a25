namespace Tapwire.Stack.Interfaces;

/// <summary>The properties of an interface that do not change while it exists. <see cref="NetworkStack.AddInterface"/> refuses values out of range.</summary>
public sealed record InterfaceOptions
{
    /// <summary>The name in messages. Any text; it need not be unique.</summary>
    public string Name { get; init; } = "";

    /// <summary>The header that frames begin with.</summary>
    public Medium Medium { get; init; } = Medium.Ethernet;

    /// <summary>The interface's own Ethernet address: a unicast address, needed for <see cref="Medium.Ethernet"/> only.</summary>
    public MacAddress HardwareAddress { get; init; }

    /// <summary>Largest IP packet in one frame, in bytes, 68..65535.</summary>
    public int Mtu { get; init; } = 1500;

    /// <summary>
    /// Largest TCP/IPv4 packet that the device cuts into segments, in bytes, up to 65535; 0 if the device cuts none. Needs <see cref="ChecksumOffload"/>.
    /// </summary>
    public int SuperFrame { get; init; }

    /// <summary>The device completes partial TCP and UDP checksums.</summary>
    public bool ChecksumOffload { get; init; }

    /// <summary>Frames that may wait for the wire before transports are told to hold back, 1..1048576.</summary>
    public int EgressFrames { get; init; } = 1024;

    /// <summary>Bytes that may wait for the wire before transports are told to hold back, 64 KiB..1 GiB.</summary>
    public int EgressBytes { get; init; } = 8 << 20;

    /// <summary>The interface takes IPv6 addresses and routes from router advertisements; null: it ignores them. Of no use without <see cref="Medium.Ethernet"/>.</summary>
    public AutoconfigurationOptions? Autoconfiguration { get; init; }

    /// <summary>The interface tells stations of its IPv6 prefixes, as a router does; null: it does not. Of no use without <see cref="Medium.Ethernet"/>.</summary>
    public AdvertisementOptions? Advertisement { get; init; }

    /// <summary>What a router forwards by this interface gets the interface's address as its source, and answers find their way back. Of use with <see cref="StackOptions.IsRouter"/> only.</summary>
    public bool Masquerades { get; init; }

    internal void Validate()
    {
        Check(Medium is Medium.Ip || (!HardwareAddress.IsGroup && HardwareAddress.Value != 0), nameof(HardwareAddress), HardwareAddress, "a unicast address");
        Ranges.Mtu.Check(Mtu, nameof(Mtu));
        Check(SuperFrame == 0 || (SuperFrame >= Mtu && SuperFrame <= 65535), nameof(SuperFrame), SuperFrame, "0 or Mtu..65535");
        Check(SuperFrame == 0 || ChecksumOffload, nameof(SuperFrame), SuperFrame, "0 without ChecksumOffload");
        Check(Autoconfiguration is null or { Secret.Length: 16 }, nameof(Autoconfiguration), Autoconfiguration!, "with a secret of 16 bytes");
        Ranges.EgressFrames.Check(EgressFrames, nameof(EgressFrames));
        Ranges.EgressBytes.Check(EgressBytes, nameof(EgressBytes));
    }

    private static void Check(bool good, string name, object value, string accepted)
    {
        if (!good)
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be {accepted}.");
    }

    /// <summary>The accepted range of each option.</summary>
    public static class Ranges
    {
        public static ValueRange<int> Mtu { get; } = new(68, 65535);

        public static ValueRange<int> EgressFrames { get; } = new(1, 1 << 20);

        public static ValueRange<int> EgressBytes { get; } = new(64 << 10, 1 << 30);
    }
}
