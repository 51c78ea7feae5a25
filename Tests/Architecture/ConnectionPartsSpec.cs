using System.Reflection;
using System.Runtime.CompilerServices;
using Tapwire.Actors;
using Tapwire.Actors.Connection;
using Tapwire.Stack.Tcp;
using Tapwire.Stack.Tcp.Connection;
using Xunit;

namespace Tapwire.Tests.Architecture;

/// <summary>A TCP connection is made of parts, and so is the actor that joins it to an application. None writes another's field.</summary>
public sealed class ConnectionPartsSpec
{
    private const BindingFlags Instance = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>The list of a pool goes through what is in it; Akka.NET gives an actor its stash.</summary>
    private static readonly string[] Exempt = ["SenderState.NextFree", "ConnectionActor.Stash"];

    /// <summary>What is made of parts, and a part by whose namespace the others are known.</summary>
    private static readonly (Type Whole, Type Part)[] Wholes = [(typeof(TcpConnection), typeof(TcpReceiver)), (typeof(ConnectionActor), typeof(ReceiveDirection))];

    /// <summary>Structs of the engine that are parts, too: their fields are private.</summary>
    private static readonly Type[] Structs = [typeof(DeliveryRate), typeof(SendQueue), typeof(SendPlaces)];

    public static TheoryData<string, string> Parts()
    {
        var parts = new TheoryData<string, string>();
        foreach (var (whole, part) in Wholes)
        {
            parts.Add(whole.Assembly.GetName().Name!, whole.FullName!);
            foreach (var type in part.Assembly.GetTypes().Where(type => type.Namespace == part.Namespace && IsWritten(type)))
                parts.Add(type.Assembly.GetName().Name!, type.FullName!);
        }

        return parts;
    }

    /// <summary>A struct that is a part itself has its own private fields: where it stands is no matter.</summary>
    [Theory]
    [MemberData(nameof(Parts))]
    public void Only_a_part_itself_writes_its_fields(string assembly, string name)
    {
        var part = Assembly.Load(assembly).GetType(name, throwOnError: true)!;
        var open = part.GetFields(Instance)
            .Where(static field => field is { IsPrivate: false, IsInitOnly: false, IsLiteral: false } && !IsPart(field.FieldType))
            .Select(field => $"{part.Name}.{field.Name}");
        var settable = part.GetProperties(Instance)
            .Where(static property => property.SetMethod is { IsPrivate: false } setter && !setter.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)))
            .Select(property => $"{part.Name}.{property.Name}");
        Assert.Empty(open.Concat(settable).Except(Exempt));
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

    private static bool IsPart(Type type) => type.IsValueType && !type.IsEnum && (Array.Exists(Wholes, whole => whole.Part.Namespace == type.Namespace) || Structs.Contains(type));

    private static bool IsWritten(Type type) => !type.IsEnum && !type.IsNested && !type.IsDefined(typeof(CompilerGeneratedAttribute));
}
