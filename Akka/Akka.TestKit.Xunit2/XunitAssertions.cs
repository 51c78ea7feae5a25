using System.Globalization;
using Akka.TestKit.Xunit2.Internals;
using Xunit;

namespace Akka.TestKit.Xunit2;

/// <summary>Fails xunit tests.</summary>
public class XunitAssertions : ITestKitAssertions
{
    public void Fail(string format = "", params object[] args) => Assert.Fail(Format(format, args));

    public void AssertTrue(bool condition, string format = "", params object[] args)
    {
        if (!condition)
            Assert.True(condition, Format(format, args));
    }

    public void AssertFalse(bool condition, string format = "", params object[] args)
    {
        if (condition)
            Assert.False(condition, Format(format, args));
    }

    /// <summary>Enumerables are equal when their items are; else <see cref="object.Equals(object)"/> decides.</summary>
    public void AssertEqual<T>(T expected, T actual, string format = "", params object[] args)
    {
        if (!new AkkaAssertEqualityComparer<T>().Equals(expected, actual))
            throw AkkaEqualException.ForMismatchedValues(expected, actual, format, args);
    }

    public void AssertEqual<T>(T expected, T actual, Func<T, T, bool> comparer, string format = "", params object[] args)
    {
        if (!comparer(expected, actual))
            throw AkkaEqualException.ForMismatchedValues(expected, actual, format, args);
    }

    public Exception AssertThrows(Action action) => Assert.ThrowsAny<Exception>(action);

    public TException AssertThrows<TException>(Action action)
        where TException : Exception => Assert.ThrowsAny<TException>(action);

    public Task<Exception> AssertThrowsAsync(Func<Task> action) => Assert.ThrowsAnyAsync<Exception>(action);

    public Task<TException> AssertThrowsAsync<TException>(Func<Task> action)
        where TException : Exception => Assert.ThrowsAnyAsync<TException>(action);

    internal static string Format(string format, object[] args) =>
        args is { Length: > 0 } ? string.Format(CultureInfo.InvariantCulture, format, args) : format;
}
