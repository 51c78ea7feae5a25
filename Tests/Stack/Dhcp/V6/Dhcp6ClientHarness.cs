using Tapwire.Stack;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Dhcp.V6;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Stack.Dhcp.V6;

/// <summary>A DHCPv6 client in virtual time, whose servers, routers and neighbours are the spec itself.</summary>
internal sealed class Dhcp6ClientHarness
{
    public static readonly IpAddress ServerAddress = IpAddress.Parse("fe80::1");

    public Dhcp6ClientHarness(int seed = 0, bool followsRouters = false)
    {
        var secret = Enumerable.Range(0, Dhcp6Client.SecretLength).Select(i => (byte)(i * 7 + seed)).ToArray();
        Client = new Dhcp6Client(new Dhcp6ClientOptions { Duid = Dhcp6Reply.Client, Association = Dhcp6Reply.Association, HostName = "box", FollowsRouters = followsRouters }, secret);
    }

    public Dhcp6Client Client { get; }

    public Instant Now { get; private set; } = Instant.FromMilliseconds(1000);

    /// <summary>All messages so far, with the time of each.</summary>
    public List<(Instant At, byte[] Message)> Sent { get; } = [];

    /// <summary>All events that are no messages, in their order.</summary>
    public List<DhcpEvent> Told { get; } = [];

    public byte[] Last => Sent[^1].Message;

    public uint Transaction => (uint)(Last[1] << 16 | Last[2] << 8 | Last[3]);

    public Dhcp6MessageType LastType => (Dhcp6MessageType)Last[0];

    public IReadOnlyDictionary<Dhcp6Option, byte[]> Options => Dhcp6Reply.Read(Last.AsSpan(4));

    /// <summary>The addresses that the last message has.</summary>
    public IReadOnlyList<string> Asked => Dhcp6Reply.AddressesIn(Options[Dhcp6Option.NonTemporaryAddresses]);

    /// <summary>What the interface is to have now.</summary>
    public Dhcp6Configuration Configuration => Told.OfType<Dhcp6Configured>().LastOrDefault()?.Configuration ?? Dhcp6Configuration.Nothing;

    public string Addresses => string.Join(' ', Configuration.Addresses.Select(static each => each.IsDeprecated ? $"({each.Address})" : $"{each.Address}"));

    public void Start(Dhcp6Lease? kept = null, TimeSpan left = default)
    {
        Client.Start(kept, left, Now);
        Take();
    }

    public void Follow(RouterAdvice advice)
    {
        Client.Follow(advice, Now);
        Take();
    }

    /// <summary>Moves time, step by step to each deadline.</summary>
    public void Advance(TimeSpan by)
    {
        var end = Now + by;
        for (var steps = 0; Client.PollAt <= end; steps++)
        {
            Assert.True(steps < 100_000, "The client never comes to rest.");
            Now = Instant.Max(Now, Client.PollAt);
            Client.Poll(Now);
            Take();
            Assert.True(Client.PollAt > Now, "The client has nothing left to do at this time, and wants to be woken.");
        }

        Now = end;
    }

    /// <summary>Moves time until so many messages have been sent.</summary>
    public void AwaitSent(int count)
    {
        for (var end = Now + TimeSpan.FromDays(20); Sent.Count < count;)
        {
            Assert.True(Client.PollAt < end, $"{Sent.Count} messages have been sent, not {count}.");
            Advance(Instant.Max(Client.PollAt, Now) - Now);
        }
    }

    public void Receive(Dhcp6Reply reply, string source = "fe80::1") => Receive(reply.ToArray(), source);

    public void Receive(byte[] message, string source = "fe80::1")
    {
        Client.Received(message, IpAddress.Parse(source), Now);
        Take();
    }

    /// <summary>The right answer to the last message.</summary>
    public Dhcp6Reply Answer(Dhcp6MessageType type = Dhcp6MessageType.Reply, string address = "2001:db8::50", uint valid = 7200, uint preferred = 3600, byte[]? server = null) =>
        Dhcp6Reply.Lease(type, Transaction, address, valid, preferred, server: server);

    /// <summary>An answer without addresses.</summary>
    public Dhcp6Reply Bare(Dhcp6MessageType type = Dhcp6MessageType.Reply, byte[]? server = null) => new(type, Transaction, server: server);

    public void Duplicate(string address)
    {
        Client.DuplicateFound(IpAddress.Parse(address), Now);
        Take();
    }

    public void WireUp()
    {
        Client.WireUp(Now);
        Take();
    }

    public void Stop(bool release)
    {
        Client.Stop(release, Now);
        Take();
    }

    /// <summary>All the way to a lease.</summary>
    public Dhcp6Lease Bind(uint valid = 7200, uint preferred = 3600)
    {
        Start();
        AwaitSent(1);
        Receive(Answer(Dhcp6MessageType.Advertise, valid: valid, preferred: preferred).With(Dhcp6Option.Preference, 255));
        Receive(Answer(valid: valid, preferred: preferred));
        Assert.Equal(Dhcp6State.Bound, Client.State);
        return Client.Lease!;
    }

    public T Only<T>()
        where T : DhcpEvent => Assert.Single(Told.OfType<T>());

    public long Dropped(DhcpDrop reason) => Client.Counters[reason];

    private void Take()
    {
        while (Client.TryDequeue(out var next))
        {
            if (next is Dhcp6Send send)
                Sent.Add((Now, send.Message.ToArray()));
            else
                Told.Add(next);
        }
    }
}
