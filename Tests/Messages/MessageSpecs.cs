using System.Reflection;
using System.Runtime.CompilerServices;
using Tapwire.Links.Protocol;
using Tapwire.Messages;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Forwarding;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Messages;

/// <summary>What holds for every message: sealed, immutable, and a place for its buffers.</summary>
public sealed class MessageSpecs
{
    private static readonly List<Type> Types = [.. typeof(Frame).Assembly.GetExportedTypes().Where(type => type.IsClass)];

    public static TheoryData<Type> Messages => [.. Types];

    /// <summary>What applications and the driver say to each other; actors pass it on.</summary>
    public static TheoryData<Type> LinkMessages =>
        [.. typeof(LinkAnswer).Assembly.GetExportedTypes().Where(type => type is { Namespace: "Tapwire.Links.Protocol", IsClass: true, IsSealed: true, IsAbstract: false })];

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
        var carries = message.GetProperties().Any(property => property.PropertyType == typeof(PacketBuffer) || property.PropertyType == typeof(ForwardedEcho));
        Assert.Equal(carries, typeof(IOwnsBuffers).IsAssignableFrom(message));
    }

    /// <summary>A logger asks for it when a message is unhandled or dead, and the first property that throws there takes the logger with it.</summary>
    [Theory]
    [MemberData(nameof(Messages))]
    [MemberData(nameof(LinkMessages))]
    public void A_message_can_be_logged_whatever_it_holds(Type message) => Assert.NotEmpty(RuntimeHelpers.GetUninitializedObject(message).ToString()!);

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
            new ForwardDatagram(pool.Rent(1), default, default),
            new ReturnDatagram(pool.Rent(1), default, default),
            new ForwardEcho(new ForwardedEcho(pool.Rent(1), default)),
            new AnswerEcho(new ForwardedEcho(pool.Rent(1), default), StackError.None),
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

    [Fact]
    public void A_message_that_says_what_its_buffer_has_carried_before_is_that_message_and_no_other_is()
    {
        var buffer = new BufferPool().Rent(1);
        var (id, other) = (new SocketId(1, 2), new SocketId(1, 3));
        var from = new IpEndpoint(IpAddress.Parse("10.0.0.1"), 53);
        Assert.Same(ReadReady.Of(buffer, 7, false), ReadReady.Of(buffer, 7, false));
        Assert.Equal(new ReadReady(buffer, 8, false), ReadReady.Of(buffer, 8, false));
        Assert.Equal(new ReadReady(buffer, 8, true), ReadReady.Of(buffer, 8, true));
        Assert.Equal(new ReadReady(null, 0, true), ReadReady.Of(null, 0, true));
        Assert.Same(WriteRequest.Of(id, buffer), WriteRequest.Of(id, buffer));
        Assert.Equal(new WriteRequest(other, buffer), WriteRequest.Of(other, buffer));
        Assert.Same(DatagramReceived.Of(buffer, from), DatagramReceived.Of(buffer, from));
        Assert.Equal(new DatagramReceived(buffer, default), DatagramReceived.Of(buffer, default));
        Assert.Same(SendDatagram.Of(id, buffer, from), SendDatagram.Of(id, buffer, from));
        Assert.Equal(new SendDatagram(id, buffer, null), SendDatagram.Of(id, buffer, null));
        Assert.Equal(new SendDatagram(other, buffer, null), SendDatagram.Of(other, buffer, null));
        buffer.Release();
    }

    [Fact]
    public void Amounts_that_repeat_are_told_by_the_same_message()
    {
        for (var bytes = 1; bytes < 5000; bytes++)
        {
            var id = new SocketId(bytes % 7, 1);
            Assert.Equal(new WriteDone(bytes), WriteDone.Of(bytes));
            Assert.Equal(new ReadDone(id, bytes), ReadDone.Of(id, bytes));
            Assert.Equal(new FramesWritten(0, bytes), FramesWritten.Of(0, bytes));
            Assert.Same(WriteDone.Of(bytes), WriteDone.Of(bytes));
            Assert.Same(ReadDone.Of(id, bytes), ReadDone.Of(id, bytes));
        }
    }
}
