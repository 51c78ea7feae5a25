using System.Text;
using Akka.Configuration;
using Xunit;

namespace Akka.Tests.Configuration;

public class HoconErrorSpec
{
    [Theory]
    [InlineData("a", "line 1, column 2: expected '=', ':', '+=' or '{' after key 'a', found the end of the text")]
    [InlineData("x = 1\na.b c\n\nd = 2", "line 4, column 1: expected '=', ':', '+=' or '{' after key 'a.\"b c\"', found 'd'")]
    [InlineData("a =", "line 1, column 4: expected a value for 'a', found the end of the text")]
    [InlineData("a { b = }", "line 1, column 9: expected a value for 'a.b', found '}'")]
    [InlineData("a = 1,, b = 2", "line 1, column 7: expected a key, found ','")]
    [InlineData("= 1", "line 1, column 1: expected a key, found '='")]
    [InlineData("a..b = 1", "line 1, column 3: expected a key, found '.'")]
    [InlineData("a = 1\n}", "line 2, column 1: unexpected '}'")]
    [InlineData("{ a = 1 } b = 2", "line 1, column 11: expected the end of the text after the closing '}', found 'b'")]
    [InlineData("[1]", "line 1, column 1: expected a key or '{'")]
    [InlineData("a = [1, 2", "line 1, column 5: expected ']' to close the array that begins here")]
    [InlineData("a = [,1]", "line 1, column 6: expected a value for 'a', found ','")]
    [InlineData("a = [1}", "line 1, column 7: expected ',', a new line or ']' after an element of the array, found '}'")]
    [InlineData("a = 1]", "line 1, column 6: expected a new line, ',' or '}' before the next key, found ']'")]
    [InlineData("a = \"x\nb = 2", "line 1, column 5: expected '\"' to close the string that begins here, found the end of the line")]
    [InlineData("a = \"\"\"x", "line 1, column 5: expected '\"\"\"' to close")]
    [InlineData("a = \"\\q\"", "line 1, column 6: unknown escape")]
    [InlineData("a = \"\\u12x4\"", "line 1, column 6: expected four hexadecimal digits")]
    [InlineData("a = 1\nuri = akka.tcp://Cluster@127.0.0.1:4053", "line 2, column 15: unexpected ':' in a value: put text that contains it into double quotes")]
    [InlineData("a = b c = 2", "line 1, column 9: unexpected '=' in a value")]
    [InlineData("a = user@host", "line 1, column 9: expected a value, found '@'")]
    [InlineData("a = $x", "line 1, column 5: expected '{' after '$'")]
    [InlineData("a = ${x", "line 1, column 8: expected '}' to close the substitution, found the end of the text")]
    [InlineData("a = [1] text", "line 1, column 5: cannot join an array and text")]
    [InlineData("a = { x = 1 } [1]", "line 1, column 5: cannot join an object and an array")]
    [InlineData("b = [1]\na = x ${b}", "line 2, column 7: cannot join text and an array")]
    [InlineData("a = 1\nb = ${nothing}", "line 2, column 5: cannot resolve ${nothing}: there is no value at this path")]
    [InlineData("a = ${a}", "line 1, column 5: cannot resolve ${a}")]
    [InlineData("a = ${b}\nb = ${c}\nc = x ${a}", "the substitution leads back to itself")]
    [InlineData("a { b = ${a} }", "the value contains itself through a substitution")]
    [InlineData("a { x = ${b} }\nb { y = [${a}] }", "the value contains itself through a substitution")]
    [InlineData("include \"x\"", "line 1, column 1: cannot include \"x\"")]
    public void An_error_says_where_it_is_and_what_was_expected(string hocon, string message)
    {
        var error = Assert.Throws<ConfigurationException>(() => ConfigurationFactory.ParseString(hocon));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Matches("^line [0-9]+, column [0-9]+: ", error.Message);
    }

    [Theory]
    [InlineData("a {", "b")]
    [InlineData("a = {", "b")]
    [InlineData("a.", "b = 1")]
    [InlineData("[", "1", "a = ")]
    public void Nesting_without_end_is_refused_and_does_not_exhaust_the_stack(string opening, string end, string start = "")
    {
        var hocon = start + string.Concat(Enumerable.Repeat(opening, 20_000)) + end;
        var error = Assert.Throws<ConfigurationException>(() => ConfigurationFactory.ParseString(hocon));
        Assert.Contains("nested deeper than 256 levels", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("k{0} = x ${{k{1}}}\n", false)]
    [InlineData("k{0} = x ${{k{1}}}\n", true)]
    [InlineData("k{0} {{ x = ${{k{1}}} }}\n", false)]
    [InlineData("k{0} {{ x = ${{k{1}}} }}\n", true)]
    public void A_chain_of_substitutions_without_end_is_refused_and_does_not_exhaust_the_stack(string link, bool backwards)
    {
        var links = Enumerable.Range(0, 5_000).Select(i => string.Format(null, link, i, i + 1));
        var hocon = string.Concat(backwards ? links.Reverse() : links) + "k5000 = x";
        Assert.Throws<ConfigurationException>(() => ConfigurationFactory.ParseString(hocon));
    }

    [Fact]
    public void No_mutilation_of_a_text_causes_anything_but_a_configuration_exception()
    {
        const string text = "a { b = [1, \"x\\n\", ${?c.d}] # comment\n \"q.r\" : \"\"\"t\"\"\" }, c.d += { e = 5 s }\nf = ${a} { g = null }";
        var random = new Random(42);
        const string alphabet = "{}[]$\"\\=:,+.#/? \nab1";
        for (var i = 0; i < 3_000; i++)
        {
            var mutilated = new StringBuilder(text);
            for (var n = random.Next(1, 5); n > 0; n--)
            {
                var at = random.Next(mutilated.Length);
                switch (random.Next(3))
                {
                    case 0: mutilated.Remove(at, Math.Min(random.Next(1, 9), mutilated.Length - at)).Append(' '); break;
                    case 1: mutilated.Insert(at, alphabet[random.Next(alphabet.Length)]); break;
                    default: mutilated[at] = alphabet[random.Next(alphabet.Length)]; break;
                }
            }
            try
            {
                var parsed = ConfigurationFactory.ParseString(mutilated.ToString());
                var printed = parsed.ToString();
                Assert.Equal(printed, ConfigurationFactory.ParseString(printed).ToString());
            }
            catch (ConfigurationException e)
            {
                Assert.StartsWith("line ", e.Message, StringComparison.Ordinal);
            }
        }
    }
}
