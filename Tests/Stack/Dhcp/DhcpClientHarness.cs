using System.Buffers.Binary;
using Tapwire.Stack;
using Tapwire.Stack.Dhcp;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Xunit;

namespace Tapwire.Tests.Stack.Dhcp;

/// <summary>A DHCP client in virtual time, whose servers and neighbours are the spec itself.</summary>
internal sealed class DhcpClientHarness
{
    public static readonly MacAddress Hardware = MacAddress.Parse("02:00:00:00:00:02");

    public DhcpClientHarness(int seed = 0)
    {
        var secret = Enumerable.Range(0, DhcpClient.SecretLength).Select(i => (byte)(i * 7 + seed)).ToArray();
        Client = new DhcpClient(new DhcpClientOptions { Hardware = Hardware, ClientIdentifier = new byte[] { 1, 2, 0, 0, 0, 0, 2 }, HostName = "box" }, secret);
    }

    public DhcpClient Client { get; }

    public Instant Now { get; private set; } = Instant.FromMilliseconds(1000);

    /// <summary>All messages so far, with the time of each.</summary>
    public List<(Instant At, DhcpSend Send)> Sent { get; } = [];

    /// <summary>All events that are no messages, in their order.</summary>
    public List<DhcpEvent> Told { get; } = [];

    public ReadOnlySpan<byte> Last => Sent[^1].Send.Message.Span;

    public uint Transaction => BinaryPrimitives.ReadUInt32BigEndian(Last[4..]);

    public int Seconds => BinaryPrimitives.ReadUInt16BigEndian(Last[8..]);

    public DhcpMessageType LastType => (DhcpMessageType)Option(DhcpOption.MessageType)[0];

    /// <summary>The value of an option of the last message; empty if it is not there.</summary>
    public byte[] Option(DhcpOption option)
    {
        for (var i = 240; Last[i] != 255; i += 2 + Last[i + 1])
        {
            if (Last[i] == (byte)option)
                return Last.Slice(i + 2, Last[i + 1]).ToArray();
        }

        return [];
    }

    public IpAddress ClientAddress => IpAddress.FromBytes(Last.Slice(12, 4));

    public void Start(DhcpLease? kept = null, TimeSpan left = default)
    {
        Client.Start(kept, left, Now);
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

    public void Receive(DhcpReply reply) => Receive(reply.ToArray());

    public void Receive(byte[] message)
    {
        Client.Received(message, Now);
        Take();
    }

    /// <summary>The right answer to the last message.</summary>
    public DhcpReply Answer(DhcpMessageType type, string address = "192.0.2.50", string server = "192.0.2.1", uint seconds = 3600) =>
        DhcpReply.Lease(type, Transaction, Hardware, address, server, seconds);

    public DhcpReply Nak(string server = "192.0.2.1") => new DhcpReply(DhcpMessageType.Nak, Transaction, Hardware).With(DhcpOption.ServerIdentifier, server);

    public void Heard(string address, string by = "02:00:00:00:00:99")
    {
        Client.AddressHeard(IpAddress.Parse(address), MacAddress.Parse(by), Now);
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
    public DhcpLease Bind(uint seconds = 3600)
    {
        Start();
        AwaitSent(1);
        Receive(Answer(DhcpMessageType.Offer, seconds: seconds));
        Receive(Answer(DhcpMessageType.Ack, seconds: seconds));
        Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(DhcpState.Bound, Client.State);
        return Client.Lease!;
    }

    public T Only<T>()
        where T : DhcpEvent => Assert.Single(Told.OfType<T>());

    private void Take()
    {
        while (Client.TryDequeue(out var next))
        {
            if (next is DhcpSend send)
                Sent.Add((Now, send));
            else
                Told.Add(next);
        }
    }
}
