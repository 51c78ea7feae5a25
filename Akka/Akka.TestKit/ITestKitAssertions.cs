namespace Akka.TestKit;

/// <summary>How the test framework in use reports a failure. The texts are composite formats with their arguments.</summary>
public interface ITestKitAssertions
{
    void Fail(string format = "", params object[] args);

    void AssertTrue(bool condition, string format = "", params object[] args);

    void AssertFalse(bool condition, string format = "", params object[] args);

    void AssertEqual<T>(T expected, T actual, string format = "", params object[] args);

    void AssertEqual<T>(T expected, T actual, Func<T, T, bool> comparer, string format = "", params object[] args);
}

/// <summary>Marks a test that sends without being the sender: outside of an actor there is then no sender.</summary>
public interface INoImplicitSender;
