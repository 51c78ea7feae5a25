using System.Reflection;
using System.Runtime.CompilerServices;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Tcp.Connection;
using Xunit;

namespace Tapwire.Tests.Architecture;

/// <summary>A TCP connection is made of parts, and none writes another's field.</summary>
public sealed class ConnectionPartsSpec
{
    private const BindingFlags Instance = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>The list of a pool goes through what is in it.</summary>
    private static readonly string[] Links = ["SenderState.NextFree"];

    /// <summary>Structs of the engine that are parts, too: their fields are private.</summary>
    private static readonly Type[] Structs = [typeof(DeliveryRate), typeof(SendQueue), typeof(SendPlaces)];

    public static TheoryData<string> Parts()
    {
        var parts = new TheoryData<string> { typeof(TcpConnection).FullName! };
        foreach (var type in typeof(TcpReceiver).Assembly.GetTypes().Where(static type => type.Namespace == typeof(TcpReceiver).Namespace && IsWritten(type)))
            parts.Add(type.FullName!);
        return parts;
    }

    /// <summary>A struct that is a part itself has its own private fields: where it stands is no matter.</summary>
    [Theory]
    [MemberData(nameof(Parts))]
    public void Only_a_part_itself_writes_its_fields(string name)
    {
        var part = typeof(TcpReceiver).Assembly.GetType(name, throwOnError: true)!;
        var open = part.GetFields(Instance)
            .Where(static field => field is { IsPrivate: false, IsInitOnly: false, IsLiteral: false } && !IsPart(field.FieldType))
            .Select(field => $"{part.Name}.{field.Name}");
        var settable = part.GetProperties(Instance)
            .Where(static property => property.SetMethod is { IsPrivate: false } setter && !setter.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)))
            .Select(property => $"{part.Name}.{property.Name}");
        Assert.Empty(open.Concat(settable).Except(Links));
    }

    [Fact]
    public void What_only_a_connection_under_way_needs_is_not_part_of_an_idle_one()
    {
        var idle = new[] { typeof(TcpSocket), typeof(TcpConnection), typeof(TcpReceiver), typeof(TcpSender) };
        var held = idle.SelectMany(static type => type.GetFields(Instance)).Select(static field => field.FieldType);
        var underWay = typeof(SenderState).GetFields(Instance).Where(static field => field.IsInitOnly).Select(static field => field.FieldType).ToArray();
        Assert.Contains(typeof(LossRecovery), underWay);
        Assert.Empty(held.Intersect(underWay));
    }

    private static bool IsPart(Type type) => type.IsValueType && !type.IsEnum && (type.Namespace == typeof(TcpReceiver).Namespace || Structs.Contains(type));

    private static bool IsWritten(Type type) => !type.IsEnum && !type.IsNested && !type.IsDefined(typeof(CompilerGeneratedAttribute));
}
