namespace Akka.Annotations;

/// <summary>Marks a member that is public for technical reasons only and may change without notice.</summary>
[AttributeUsage(AttributeTargets.All, AllowMultiple = false, Inherited = true)]
public sealed class InternalApiAttribute : Attribute;

/// <summary>Marks a member whose shape is not settled.</summary>
[AttributeUsage(AttributeTargets.All, AllowMultiple = false, Inherited = true)]
public sealed class ApiMayChangeAttribute : Attribute;

/// <summary>Marks a type that user code must not derive from.</summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Interface, AllowMultiple = false, Inherited = true)]
public sealed class DoNotInheritAttribute : Attribute;
