namespace Akka.Util;

internal static class Base64Name
{
    private const string Digits = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+~";

    /// <summary>The number in base 64, least significant digit first, after a <c>$</c>: the name of an actor that was given none.</summary>
    public static string Of(long number)
    {
        Span<char> text = stackalloc char[12];
        var length = 0;
        text[length++] = '$';
        do
        {
            text[length++] = Digits[(int)(number & 63)];
            number >>>= 6;
        }
        while (number != 0);
        return new string(text[..length]);
    }
}
