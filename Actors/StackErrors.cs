using System.Runtime.InteropServices;
using Tapwire.Posix;
using Tapwire.Stack;

namespace Tapwire.Actors;

/// <summary>Descriptions of the stack's errors for operators.</summary>
public static class StackErrors
{
    /// <summary>The operating system's text for the error, as in "Address already in use".</summary>
    public static string Describe(this StackError error) => Marshal.GetPInvokeErrorMessage((int)error);
}
