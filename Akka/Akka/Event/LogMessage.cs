using Akka.Annotations;

namespace Akka.Event;

/// <summary>Makes text of a log message's template and its values; HOCON names one in <c>akka.logger-formatter</c>.</summary>
public interface ILogMessageFormatter
{
    string Format(string format, params object[] args);

    string Format(string format, IEnumerable<object> args);
}

/// <summary>Templates of <see cref="string.Format(string, object[])"/>.</summary>
public class DefaultLogMessageFormatter : ILogMessageFormatter
{
    public static readonly DefaultLogMessageFormatter Instance = new();

    private DefaultLogMessageFormatter() { }

    public string Format(string format, params object[] args) => string.Format(format, args);

    public string Format(string format, IEnumerable<object> args) => string.Format(format, args as object[] ?? args.ToArray());
}

/// <summary>A template with its values, which becomes text only where it is printed.</summary>
public abstract class LogMessage
{
    protected readonly ILogMessageFormatter Formatter;

    public LogMessage(ILogMessageFormatter formatter, string format)
    {
        Formatter = formatter;
        Format = format;
    }

    /// <summary>The template.</summary>
    public string Format { get; }

    /// <summary>The template and the values, unjoined.</summary>
    [InternalApi]
    public abstract string Unformatted();

    /// <summary>The values.</summary>
    [InternalApi]
    public abstract IEnumerable<object> Parameters();
}

internal sealed class LogMessage<T> : LogMessage where T : IEnumerable<object>
{
    public LogMessage(ILogMessageFormatter formatter, string format, T arg) : base(formatter, format) => Arg = arg;

    public T Arg { get; }

    public override string ToString() => Formatter.Format(Format, Arg);

    public override string Unformatted() => $"{Format}: {string.Join(",", Arg)}";

    public override IEnumerable<object> Parameters() => Arg;
}
