using Xunit.Sdk;

namespace Akka.TestKit.Xunit2.Internals;

/// <summary>Two values that were to be equal are not.</summary>
public class AkkaEqualException : XunitException
{
    public AkkaEqualException(string format = "", params object[] args)
        : base(XunitAssertions.Format(format, args))
    {
    }

    public static AkkaEqualException ForMismatchedValues(object expected, object actual, string format = null, params object[] args)
    {
        var detail = string.IsNullOrEmpty(format) ? "" : Environment.NewLine + XunitAssertions.Format(format, args);
        return new AkkaEqualException("{0}", $"Expected: {Show(expected)}{Environment.NewLine}Actual:   {Show(actual)}{detail}");
    }

    private static string Show(object value) => value is null ? "(null)" : $"{value} ({value.GetType()})";
}
