using System.Reflection;
using System.Runtime.CompilerServices;
using Tapwire.Tests.Support;
using Xunit;

namespace Tapwire.Tests.Architecture;

/// <summary>
/// What the packages offer, member by member, is in a file beside each project: a change of it is seen in a review. To accept one, delete the file's old lines or run this spec with TAPWIRE_APPROVE=1.
/// </summary>
public sealed class PublicApiSpec
{
    [Theory]
#if ASPNETCORE
    [InlineData("AspNetCore", "Tapwire.AspNetCore")]
#else
    [InlineData("Client", "Tapwire.Client")]
    [InlineData("Net", "Tapwire.Net")]
    [InlineData("Lab", "Tapwire.Lab")]
#endif
    public void The_public_surface_is_the_approved_one(string folder, string assembly)
    {
        var path = Path.Combine(Repository.Root, folder, "PublicAPI.txt");
        var actual = Surface(Assembly.Load(assembly)).Order(StringComparer.Ordinal).ToList();
        Assert.NotEmpty(actual);
        if (Environment.GetEnvironmentVariable("TAPWIRE_APPROVE") == "1")
            File.WriteAllLines(path, actual);
        Assert.Equal(File.ReadAllLines(path), actual);
    }

    private static IEnumerable<string> Surface(Assembly assembly)
    {
        foreach (var type in assembly.GetExportedTypes().Where(static type => !type.Name.Contains('<', StringComparison.Ordinal)))
        {
            yield return $"{(type.IsAbstract && type.IsSealed ? "static " : type.IsAbstract ? "abstract " : type.IsSealed ? "sealed " : "")}{(type.IsValueType ? "struct" : type.IsInterface ? "interface" : "class")} {NameOf(type)} : {NameOf(type.BaseType ?? typeof(object))}";
            const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
            foreach (var member in type.GetMembers(Declared))
            {
                if (member is MethodBase { IsPublic: false, IsFamily: false, IsFamilyOrAssembly: false } or FieldInfo { IsPublic: false, IsFamily: false } or Type or PropertyInfo or EventInfo
                    || member.Name.Contains('<', StringComparison.Ordinal) || (member.GetCustomAttribute<CompilerGeneratedAttribute>() is not null && member is not MethodInfo { IsSpecialName: true }))
                    continue;
                yield return member switch
                {
                    MethodInfo method => $"{NameOf(type)}.{method.Name}{(method.IsGenericMethod ? $"<{string.Join(", ", method.GetGenericArguments().Select(NameOf))}>" : "")}({ParametersOf(method)}) -> {NameOf(method.ReturnType)}{(method.IsStatic ? " static" : method.IsAbstract ? " abstract" : "")}",
                    ConstructorInfo made => $"{NameOf(type)}.new({ParametersOf(made)})",
                    FieldInfo field => $"{NameOf(type)}.{field.Name} : {NameOf(field.FieldType)}{(field.IsLiteral ? $" = {field.GetRawConstantValue()}" : "")}",
                    _ => $"{NameOf(type)}.{member.Name}",
                };
            }
        }
    }

    private static string ParametersOf(MethodBase method) =>
        string.Join(", ", method.GetParameters().Select(static each => $"{NameOf(each.ParameterType)} {each.Name}{(each.IsOptional ? " = " + (each.RawDefaultValue ?? "null") : "")}"));

    private static string NameOf(Type type)
    {
        if (type.IsByRef)
            return "ref " + NameOf(type.GetElementType()!);
        if (type.IsArray)
            return NameOf(type.GetElementType()!) + "[]";
        var name = type.IsGenericParameter || type.Namespace is null ? type.Name : $"{type.Namespace}.{type.Name}";
        return type.IsGenericType ? $"{name[..(name.IndexOf('`', StringComparison.Ordinal) is > 0 and var at ? at : name.Length)]}<{string.Join(", ", type.GetGenericArguments().Select(NameOf))}>" : name;
    }
}
