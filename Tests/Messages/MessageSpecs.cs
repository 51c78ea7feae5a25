using System.Reflection;
using System.Runtime.CompilerServices;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Messages;

/// <summary>What holds for every message: sealed, immutable, and a place for its buffers.</summary>
public sealed class MessageSpecs
{
    private static readonly List<Type> Types = [.. typeof(Frame).Assembly.GetExportedTypes().Where(type => type.IsClass)];

    public static TheoryData<Type> Messages => [.. Types];

    [Theory]
    [MemberData(nameof(Messages))]
    public void A_message_is_sealed(Type message) => Assert.True(message.IsSealed);

    [Theory]
    [MemberData(nameof(Messages))]
    public void A_message_cannot_be_changed(Type message)
    {
        const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.DeclaredOnly;
        Assert.All(message.GetFields(All), field => Assert.True(field.IsInitOnly, $"{field.Name} can be written."));
        Assert.All(message.GetProperties(All), property => Assert.True(
            property.SetMethod is not { } set || set.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)),
            $"{property.Name} can be set."));
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void A_message_that_carries_a_buffer_can_give_it_back(Type message)
    {
        var carries = message.GetProperties().Any(property => property.PropertyType == typeof(PacketBuffer));
        Assert.Equal(carries, typeof(IOwnsBuffers).IsAssignableFrom(message));
    }

    [Fact]
    public void There_are_messages_to_look_at() => Assert.True(Types.Count > 30);

    [Fact]
    public void Releasing_a_message_gives_back_all_its_buffers()
    {
        var pool = new DiagnosingBufferPool();
        var chain = pool.Rent(1);
        chain.Next = pool.Rent(2);
        IOwnsBuffers[] messages =
        [
            Frame.Of(pool.Rent(1)),
            new ReadReady(chain, 3, true),
            new ReadReady(null, 0, true),
            new WriteRequest(default, pool.Rent(1)),
            new SendDatagram(default, pool.Rent(1), null),
            new DatagramReceived(pool.Rent(1), default),
            new Crossing(pool.Rent(1), 0),
        ];
        foreach (var message in messages)
            message.Release();
        pool.AssertAllReturned();
    }

    [Fact]
    public void A_buffer_keeps_its_frame_message_so_that_a_frame_costs_no_allocation()
    {
        var buffer = new BufferPool().Rent(1);
        Assert.Same(Frame.Of(buffer), Frame.Of(buffer));
        buffer.Release();
    }
}
