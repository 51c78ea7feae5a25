using Tapwire.Links.Protocol;
using Tapwire.Stack;

namespace Tapwire.Actors.Link;

/// <summary>
/// How an option is answered that changes nothing in the stack: which values it takes, what it reads as, or the errno that Linux gives. Errors are Linux's numbers; 0: none.
/// </summary>
/// <param name="SetError">What setting it fails with; 0: it is remembered.</param>
/// <param name="GetError">What reading it fails with.</param>
/// <param name="Least">Least value that is taken.</param>
/// <param name="Most">Largest value that is taken.</param>
/// <param name="RangeError">What any other value fails with.</param>
/// <param name="Initial">What it reads as before it is set; null: as no bytes at all.</param>
/// <param name="IsFlag">It reads as 0 or 1, whatever was set.</param>
/// <param name="Size">Most bytes of a value: more than an int's four for a structure.</param>
/// <param name="LeastSize">Fewest bytes of a value.</param>
/// <param name="IsKept">False: setting it does nothing at all.</param>
internal sealed record OptionRule(int SetError = 0, int GetError = 0, int Least = int.MinValue, int Most = int.MaxValue,
    int RangeError = (int)StackError.InvalidArgument, int? Initial = 0, bool IsFlag = false, int Size = sizeof(int), int LeastSize = 0, bool IsKept = true)
{
    private const int NoSuchOption = (int)StackError.NoSuchOption;

    /// <summary>On or off.</summary>
    public static readonly OptionRule Flag = new(IsFlag: true);

    /// <summary>On or off, and on from the beginning.</summary>
    public static readonly OptionRule FlagOn = new(IsFlag: true, Initial: 1);

    /// <summary>0 or 1; any other value is EINVAL.</summary>
    public static readonly OptionRule ZeroOrOne = Range(0, 1);

    /// <summary>Any number.</summary>
    public static readonly OptionRule Number = new();

    /// <summary>It is taken and ignored.</summary>
    public static readonly OptionRule Ignored = new(IsKept: false);

    /// <summary>Reads as no bytes: there are none of what it asks for. It cannot be set.</summary>
    public static readonly OptionRule Nothing = new(SetError: NoSuchOption, Initial: null);

    /// <summary>A permission that the driver cannot give: setting it fails as it does to a program without the privilege, and it cannot be read.</summary>
    public static readonly OptionRule Privileged = new(SetError: LinkErrno.NotPermitted, GetError: NoSuchOption);

    /// <summary>Fails both ways, as an option that the kernel was built without.</summary>
    public static readonly OptionRule Unknown = Refused(NoSuchOption);

    /// <summary>What -1 stands for, where it is taken.</summary>
    public int MinusOne { get; init; } = -1;

    /// <summary>A number between two others; any other is EINVAL.</summary>
    public static OptionRule Range(int least, int most, int initial = 0) => new(Least: least, Most: most, Initial: initial);

    /// <summary>A structure of that many bytes, remembered as it is.</summary>
    public static OptionRule Structure(int size) => new(Size: size, LeastSize: size);

    /// <summary>Reads as a number, and cannot be set.</summary>
    public static OptionRule ReadOnly(int value) => new(SetError: NoSuchOption, Initial: value);

    /// <summary>Reads as a number, and setting it fails.</summary>
    public static OptionRule SetFails(int error, int value = 0) => new(SetError: error, Initial: value);

    /// <summary>Fails both ways.</summary>
    public static OptionRule Refused(int error) => new(SetError: error, GetError: error);
}
