namespace Akka.Util;

internal static class TypeNames
{
    /// <summary>
    /// The type a HOCON value names. A name without an assembly is looked for in this assembly, as Akka.NET's own defaults are written so.
    /// </summary>
    public static Type Find(string name)
    {
        if (string.IsNullOrWhiteSpace(name))
            return null;
        return Type.GetType(name, throwOnError: false) ?? typeof(TypeNames).Assembly.GetType(name, throwOnError: false);
    }
}
