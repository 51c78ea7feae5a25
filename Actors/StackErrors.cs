using System.Runtime.InteropServices;
using Tapwire.Posix;
using Tapwire.Stack;

namespace Tapwire.Actors;

/// <summary>Errors of the stack for those who operate it.</summary>
public static class StackErrors
{
    /// <summary>What the system calls the error, as in "Address already in use".</summary>
    public static string Describe(this StackError error) => Marshal.GetPInvokeErrorMessage((int)error);
}
