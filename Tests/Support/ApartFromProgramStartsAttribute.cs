using System.Reflection;
using Tapwire.Tests.Live.Support;
using Tapwire.Tests.Support;
using Xunit.Sdk;

[assembly: ApartFromProgramStarts]

namespace Tapwire.Tests.Support;

/// <summary>
/// Keeps every spec that runs beside the program specs (<see cref="LiveProgramsCollection"/>) and may hold descriptors apart from <see cref="ProgramStart"/>.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class ApartFromProgramStartsAttribute : BeforeAfterTestAttribute
{
    /// <summary>What starts programs, and what is all computation, some of it for many seconds.</summary>
    private static readonly string[] Exempt = ["Tapwire.Tests.Live.", "Tapwire.Tests.Sim", "Tapwire.Tests.Stack"];

    public override void Before(MethodInfo methodUnderTest)
    {
        if (Applies(methodUnderTest))
            ProgramStart.EnterSpec();
    }

    public override void After(MethodInfo methodUnderTest)
    {
        if (Applies(methodUnderTest))
            ProgramStart.LeaveSpec();
    }

    private static bool Applies(MethodInfo method) =>
        !Exempt.Any(space => method.ReflectedType!.Namespace!.StartsWith(space, StringComparison.Ordinal));
}
