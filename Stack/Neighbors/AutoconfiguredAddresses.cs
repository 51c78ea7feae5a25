using System.Buffers.Binary;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;

namespace Tapwire.Stack.Neighbors;

/// <summary>The addresses that an interface makes of advertised prefixes (RFC 4862, 5.5.3), with interface identifiers that are stable in a network and tell nothing about the host elsewhere
/// (RFC 7217), and temporary ones beside them (RFC 8981).</summary>
/// <param name="temporary">Makes temporary addresses: random ones, that are the same on all shards.</param>
internal sealed class AutoconfiguredAddresses(AutoconfigurationOptions options, IAutoconfigured stack, SipHash temporary, StackCounters counters)
{
    /// <summary>Bits of a prefix that leaves room for an interface identifier (RFC 4291, 2.5.1).</summary>
    private const int PrefixLength = 64;

    /// <summary>IDGEN_RETRIES of RFC 7217, 7, and TEMP_IDGEN_RETRIES of RFC 8981, 3.8.</summary>
    private const int MaxRetries = 3;

    /// <summary>A router cannot shorten the rest of a lifetime below this (RFC 4862, 5.5.3(e)).</summary>
    private static readonly TimeSpan LeastValid = TimeSpan.FromHours(2);

    /// <summary>REGEN_ADVANCE of RFC 8981, 3.8, for one probe a second apart.</summary>
    private static readonly TimeSpan RegenerateAdvance = TimeSpan.FromSeconds(5);

    /// <summary>What has come and gone that the owner has not heard of; more is not told.</summary>
    private const int MaxUntold = 64;

    private readonly List<Made> _all = [];
    private readonly Queue<AutoconfiguredAddress> _untold = new();
    private readonly SipHash _hash = HashOf(options.Secret.Span);

    public Instant NextDeadline
    {
        get
        {
            var next = Instant.Never;
            foreach (var made in _all)
                next = Instant.Min(next, made.NextDeadline);
            return next;
        }
    }

    public static Instant Until(TimeSpan lifetime, Instant now) => lifetime == NdpLifetime.Infinite ? Instant.Never : now + lifetime;

    public bool Has(IpAddress address) => _all.Exists(made => made.Address == address);

    /// <summary>Takes an address that has come or gone.</summary>
    public bool TryTakeChange(out AutoconfiguredAddress change) => _untold.TryDequeue(out change);

    /// <summary>Takes an advertised prefix for addresses.</summary>
    public void Take(in PrefixInformation information, Instant now)
    {
        var prefix = information.Prefix;
        if (prefix.Length != PrefixLength)
        {
            counters.NdpBadFormat++;
            return;
        }

        var isKnown = false;
        foreach (var made in _all.Where(made => made.Prefix == prefix).ToArray())
        {
            isKnown = true;
            Renew(made, information, now);
        }

        if (isKnown || information.ValidLifetime == TimeSpan.Zero)
            return;
        if (_all.Count(static made => !made.IsTemporary) >= RouterDiscovery.MaxPrefixes)
        {
            counters.NdpRouterTableFull++;
            return;
        }

        Make(prefix, isTemporary: false, 0, Until(information.PreferredLifetime, now), Until(information.ValidLifetime, now), now);
        if (options.UsesTemporaryAddresses && StableOf(prefix) is { } stable)
            MakeTemporary(stable, now);
    }

    /// <summary>Does what is due.</summary>
    public void Expire(Instant now)
    {
        foreach (var made in _all.ToArray())
        {
            if (made.ValidUntil <= now)
            {
                Remove(made, now);
                continue;
            }

            if (made.RegenerateAt <= now)
            {
                made.RegenerateAt = Instant.Never;
                if (StableOf(made.Prefix) is { } stable)
                    MakeTemporary(stable, now);
            }

            if (made.PreferredUntil <= now && !made.IsDeprecated)
            {
                made.IsDeprecated = true;
                stack.SetDeprecated(made.Address, true);
            }
        }
    }

    /// <summary>Another station has an address: makes another one in its place, a few times.</summary>
    public void Duplicate(IpAddress address, Instant now)
    {
        if (_all.Find(made => made.Address == address) is not { } given)
            return;
        _all.Remove(given);
        if (given.Retries < MaxRetries)
            Make(given.Prefix, given.IsTemporary, given.Retries + 1, given.PreferredUntil, given.ValidUntil, now, given.Generations);
    }

    public void Clear(Instant now)
    {
        foreach (var made in _all.ToArray())
            Remove(made, now);
    }

    private void Renew(Made made, in PrefixInformation information, Instant now)
    {
        var valid = information.ValidLifetime;
        var remaining = made.ValidUntil == Instant.Never ? TimeSpan.MaxValue : made.ValidUntil - now;
        // RFC 4862, 5.5.3(e): a forged advertisement must not end an address at once.
        if (valid < LeastValid && valid < remaining)
            valid = remaining <= LeastValid ? remaining : LeastValid;
        var (preferredUntil, validUntil) = (Until(information.PreferredLifetime, now), Until(valid, now));
        if (made.IsTemporary)
        {
            // RFC 8981, 3.4: never beyond what the address may live at all.
            preferredUntil = Instant.Min(preferredUntil, made.LastPreferred);
            validUntil = Instant.Min(validUntil, made.LastValid);
        }

        (made.PreferredUntil, made.ValidUntil) = (preferredUntil, validUntil);
        if (made.IsDeprecated && preferredUntil > now)
        {
            made.IsDeprecated = false;
            stack.SetDeprecated(made.Address, false);
        }
    }

    private Made? StableOf(IpPrefix prefix) => _all.Find(made => !made.IsTemporary && made.Prefix == prefix);

    /// <param name="stable">The stable address of the prefix, with its lifetimes.</param>
    private void MakeTemporary(Made stable, Instant now)
    {
        // RFC 8981, 3.8: up to four tenths less, so that the change of addresses of many hosts, or of one in many networks, does not coincide.
        var part = (temporary.Hash(stable.Prefix.Address.Halves.High, (ulong)++stable.Generations, ulong.MaxValue) >> 54) / 1024.0;
        var preferredUntil = Instant.Min(stable.PreferredUntil, now + options.TemporaryPreferred * (1 - 0.4 * part));
        // RFC 8981, 3.4, step 5. The prefix is about to be deprecated: another address would be due again at once, and so on without end.
        if (preferredUntil - now <= RegenerateAdvance)
            return;
        Make(stable.Prefix, isTemporary: true, 0, preferredUntil, Instant.Min(stable.ValidUntil, now + options.TemporaryValid), now, stable.Generations);
    }

    private void Make(IpPrefix prefix, bool isTemporary, int retries, Instant preferredUntil, Instant validUntil, Instant now, int generation = 0)
    {
        for (; retries <= MaxRetries; retries++)
        {
            var identifier = (isTemporary ? temporary : _hash).Hash(prefix.Address.Halves.High, (ulong)generation, (ulong)retries);
            if (IsReserved(identifier))
                continue;
            var address = IpAddress.FromHalves(prefix.Address.Halves.High, identifier);
            if (!stack.TryAddAddress(new IpPrefix(address, PrefixLength), isTemporary ? AddressFlags.Temporary : AddressFlags.None, now))
                continue;
            _all.Add(new Made(prefix, address, isTemporary, retries)
            {
                Generations = generation,
                PreferredUntil = preferredUntil,
                ValidUntil = validUntil,
                LastPreferred = preferredUntil,
                LastValid = validUntil,
                RegenerateAt = isTemporary && preferredUntil != Instant.Never ? preferredUntil - RegenerateAdvance : Instant.Never,
            });
            Note(address, isGone: false);
            return;
        }

        counters.NdpNoAddress++;
    }

    private void Remove(Made made, Instant now)
    {
        _all.Remove(made);
        stack.RemoveAddress(made.Address, now);
        Note(made.Address, isGone: true);
    }

    private void Note(IpAddress address, bool isGone)
    {
        if (_untold.Count < MaxUntold)
            _untold.Enqueue(new AutoconfiguredAddress(address, isGone));
    }

    /// <summary>Subnet-router anycast (RFC 4291, 2.6.1), and what RFC 5453, 3 names.</summary>
    private static bool IsReserved(ulong identifier) =>
        identifier == 0 || identifier is >= 0x0200_5EFF_FE00_0000 and <= 0x0200_5EFF_FE00_5213 or >= 0xFDFF_FFFF_FFFF_FF80 and <= 0xFDFF_FFFF_FFFF_FFFF;

    private static SipHash HashOf(ReadOnlySpan<byte> secret) =>
        new(BinaryPrimitives.ReadUInt64LittleEndian(secret), BinaryPrimitives.ReadUInt64LittleEndian(secret[sizeof(ulong)..]));

    /// <summary>One address.</summary>
    private sealed class Made(IpPrefix prefix, IpAddress address, bool isTemporary, int retries)
    {
        public IpPrefix Prefix { get; } = prefix;

        public IpAddress Address { get; } = address;

        public bool IsTemporary { get; } = isTemporary;

        public int Retries { get; } = retries;

        /// <summary>Of a stable address: temporary ones made of its prefix. Of a temporary one: which of them it is.</summary>
        public int Generations { get; set; }

        public Instant PreferredUntil { get; set; }

        public Instant ValidUntil { get; set; }

        /// <summary>Of a temporary address: no advertisement makes it live longer.</summary>
        public Instant LastPreferred { get; init; }

        /// <inheritdoc cref="LastPreferred"/>
        public Instant LastValid { get; init; }

        /// <summary>When the next temporary address is due.</summary>
        public Instant RegenerateAt { get; set; } = Instant.Never;

        public bool IsDeprecated { get; set; }

        public Instant NextDeadline => Instant.Min(Instant.Min(IsDeprecated ? Instant.Never : PreferredUntil, ValidUntil), RegenerateAt);
    }
}
