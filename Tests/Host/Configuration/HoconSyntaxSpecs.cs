using System.Text;
using Akka.Configuration.Hocon;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Xunit;

namespace Tapwire.Tests.Host.Configuration;

public sealed class HoconSyntaxSpecs
{
    [Theory]
    [InlineData("a = 1", "1")]
    [InlineData("a : 1", "1")]
    [InlineData("a=1", "1")]
    [InlineData("\"a\" = 1", "1")]
    [InlineData("a\n= 1", "1")]
    [InlineData("\uFEFFa = 1", "1")]
    [InlineData("\uFEFF# c\r\na = 1\r\n", "1")]
    [InlineData("# c\n// d\n\na = 1 # e", "1")]
    [InlineData("a = 1#", "1")]
    [InlineData("a = 1 //", "1")]
    [InlineData("a = 1 // c\n#", "1")]
    [InlineData("a = 1/2", "1/2")]
    [InlineData("a = some plain  words ", "some plain  words")]
    [InlineData("a = -1.5e3+x%(y)", "-1.5e3+x%(y)")]
    [InlineData("a = \"x\"", "x")]
    [InlineData("a = \"\"", "")]
    [InlineData("a = \"# { } [ ] = : , // $\"", "# { } [ ] = : , // $")]
    [InlineData("a = \"\\\"\\\\\\/\\t\\u0041\" b", "\"\\/\tA b")]
    [InlineData("a = x \"y\"z", "x yz")]
    [InlineData("a = \"\"\"x \"y\" \\z\"\"\"", "x \"y\" \\z")]
    [InlineData("a = \"\"\"x\ny\"\"\"", "x\ny")]
    [InlineData("a = 1, b = 2", "1")]
    [InlineData("b = 2\na = 1,", "1")]
    [InlineData("b = 2 , a = 1\n", "1")]
    [InlineData("b {} a = 1", "1")]
    [InlineData("b = {}, a = 1", "1")]
    [InlineData("{ a = 1 }", "1")]
    [InlineData("\n{\n \"a\" : \"1\",\n}\n", "1")]
    [InlineData("a = 2\na = 1", "1")]
    [InlineData("b = 1\na = ${b}", "1")]
    [InlineData("a = x ${b.c} y\nb.c = 1", "x 1 y")]
    [InlineData("a = ${b}${b}\nb = 1", "11")]
    [InlineData("includes = 1\ninclude { x = 1 }\na = include", "include")]
    public void What_people_write_is_accepted_and_means_what_it_says(string text, string value) =>
        Assert.Equal(value, SettingsSource.Parse("x", text).Config.GetString("a"));

    [Theory]
    [InlineData("a { b { c = 1 } }", "1")]
    [InlineData("a\n{\n  b\n  {\n    c = 1\n  }\n}", "1")]
    [InlineData("a { b.c = 1 }", "1")]
    [InlineData("a.b.c = 1", "1")]
    [InlineData("a . b . c = 1", "1")]
    [InlineData("\"a\".b.\"c\" = 1", "1")]
    [InlineData("a = { b = { c = 1 } }", "1")]
    [InlineData("a =\n{ b :\n{ c = 1 } }", "1")]
    [InlineData("a { b { c = 2 } }\na { b { d = 3 } }\na.b.c = 1", "1")]
    [InlineData("a { b = { c = 1 } { d = 2 } }", "1")]
    [InlineData("x { b { c = 1 } }\na = ${x}", "1")]
    [InlineData("a { x = [1, 2 ], b.c = 1 }", "1")]
    public void Sections_are_accepted_in_every_form(string text, string value) =>
        Assert.Equal(value, SettingsSource.Parse("x", text).Config.GetString("a.b.c"));

    [Theory]
    [InlineData("a = []", "")]
    [InlineData("a = [ ]", "")]
    [InlineData("a = [\n # none\n]", "")]
    [InlineData("a = [1]", "1")]
    [InlineData("a = [1, 2,]", "1|2")]
    [InlineData("a = [ 1 , 2 ]", "1|2")]
    [InlineData("a = [\n  1 # one\n  \"2 3\"\n\n  4, // four\n]", "1|2 3|4")]
    [InlineData("a =\n[ x y, \"\"\"z\"\"\" ]", "x y|z")]
    [InlineData("a = [1] [2]", "1|2")]
    [InlineData("b = [2]\na = [1] ${b}", "1|2")]
    [InlineData("b = 2\na = [1, ${b}]", "1|2")]
    public void Lists_are_accepted_in_every_form(string text, string values) =>
        Assert.Equal(values.Split('|', StringSplitOptions.RemoveEmptyEntries), SettingsSource.Parse("x", text).Config.GetStringList("a"));

    [Theory]
    [InlineData("tapwire } {", 1, 9, "expected '=', ':' or '{' after the key 'tapwire', found '}'")]
    [InlineData("a = 1\n}", 2, 1, "there is no '{' that this '}' could close")]
    [InlineData("= 5", 1, 1, "expected a key, found '='")]
    [InlineData("a", 1, 2, "after the key 'a', found the end of the text")]
    [InlineData("tapwire wire = 5", 1, 9, "after the key 'tapwire', found 'w'")]
    [InlineData("a \"b\" = 5", 1, 3, "after the key 'a', found '\"'")]
    [InlineData("a..b = 1", 1, 3, "expected a key, found '.'")]
    [InlineData(".a = 1", 1, 1, "expected a key, found '.'")]
    [InlineData("a. = 1", 1, 4, "expected a key, found '='")]
    [InlineData("* = 1", 1, 1, "expected a key, found '*'")]
    [InlineData("\"\" = 1", 1, 1, "a key cannot be empty")]
    [InlineData("\"a\\\"b\" = 1", 1, 1, "or have '\\' in it")]
    [InlineData("\"\"\"a\"\"\" = 1", 1, 1, "a key cannot stand in triple quotes")]
    [InlineData("wire =", 1, 7, "expected a value for 'wire', found the end of the text")]
    [InlineData("wire = # soon\nmtu = 5", 1, 8, "expected a value for 'wire', found the end of the line")]
    [InlineData("a { wire = }", 1, 12, "expected a value for 'wire', found '}'")]
    [InlineData("a = , b = 1", 1, 5, "expected a value for 'a', found ','")]
    [InlineData("a = 1,, b = 2", 1, 7, "expected a key, found ','")]
    [InlineData("a = 1\n, b = 2", 2, 1, "expected a key, found ','")]
    [InlineData("a {}, b = 2", 1, 5, "no ',' may follow a section without '='")]
    [InlineData("a = 1 b = 2", 1, 9, "text with '=' must stand in double quotes, and another key on a line of its own")]
    [InlineData("wire = tap:tw0", 1, 11, "text with ':' must stand in double quotes")]
    [InlineData("a = user@host", 1, 9, "text with '@' must stand in double quotes")]
    [InlineData("a = x\u00A0y", 1, 6, "text with the character U+00A0 must stand in double quotes")]
    [InlineData("a += 1", 1, 3, "'+=' is not understood; write the whole list with '='")]
    [InlineData("a+=1", 1, 2, "'+=' is not understood")]
    [InlineData("b = 1\ninclude \"x\"", 2, 1, "settings cannot include other files")]
    [InlineData("b { include\n\"x\" }", 1, 5, "settings cannot include other files")]
    [InlineData("b.include \"x\"", 1, 1, "settings cannot include other files")]
    [InlineData("a = \"x\nb = 1", 1, 5, "expected \" to close the text that begins here, found the end of the line")]
    [InlineData("a = \"x", 1, 5, "expected \" to close the text that begins here, found the end of the text")]
    [InlineData("\"a = 1\n", 1, 1, "expected \" to close the text that begins here")]
    [InlineData("a = \"\"\"x\ny", 1, 5, "expected \"\"\" to close the text that begins here")]
    [InlineData("a = \"\"\"x\"\"\"\"", 1, 12, "a text in triple quotes cannot end with a quote")]
    [InlineData("a = \"\\q\"", 1, 6, "expected one of \\\"")]
    [InlineData("a = \"\\", 1, 6, "expected one of \\\"")]
    [InlineData("a = \"\\u12\"", 1, 6, "four hexadecimal digits")]
    [InlineData("a = \"\\u0000\"", 1, 6, "four hexadecimal digits")]
    [InlineData("a = \" x\"", 1, 5, "a blank at the beginning of a text would be lost")]
    [InlineData("a = x\"y \"", 1, 5, "a blank at the end of a text would be lost")]
    [InlineData("a {\n b = 1\n", 3, 1, "expected '}' to close the section that begins at line 1, column 3")]
    [InlineData("a { b = { c = 1 }", 1, 18, "expected '}' to close the section that begins at line 1, column 3")]
    [InlineData("{ a = 1", 1, 8, "expected '}' to close the section that begins at line 1, column 1")]
    [InlineData("{ a = 1 } b = 2", 1, 11, "expected the end of the text after the '}' that closes all, found 'b'")]
    [InlineData("[1]", 1, 1, "settings are no list")]
    [InlineData("a = [1, 2", 1, 10, "expected ']' to close the list that begins at line 1, column 5")]
    [InlineData("a = [1, 2 }", 1, 11, "expected ',', a new line or ']' after the value, found '}'")]
    [InlineData("a = [,1]", 1, 6, "expected a value or ']', found ','")]
    [InlineData("a = [1\n,2]", 2, 1, "expected a value or ']', found ','")]
    [InlineData("a = [b = 1]", 1, 8, "text with '=' must stand in double quotes")]
    [InlineData("a = 1]", 1, 6, "expected ',', a new line or '}' after the value, found ']'")]
    [InlineData("a { b = 1 ]", 1, 11, "expected ',', a new line or '}' after the value, found ']'")]
    [InlineData("a = [1] x", 1, 5, "a list and text cannot be joined")]
    [InlineData("a = x [1]", 1, 5, "a list and text cannot be joined")]
    [InlineData("a = x { b = 1 }", 1, 7, "a section cannot be joined to anything else")]
    [InlineData("a = { b = 1 } x", 1, 15, "expected ',', a new line or '}' after the value, found 'x'")]
    [InlineData("a = $x", 1, 5, "text with '$' must stand in double quotes")]
    [InlineData("b = 1\na = ${b", 2, 8, "expected a key and '}' to end the substitution that begins at column 5, found the end of the text")]
    [InlineData("a = ${}", 1, 7, "expected a key and '}'")]
    [InlineData("b = 1\na = ${ b }", 2, 7, "expected a key and '}'")]
    [InlineData("a = ${?b}", 1, 5, "'${?' is not understood")]
    [InlineData("a = ${b}", 1, 5, "${b} names a key that is not in this text")]
    [InlineData("a = ${a}", 1, 5, "${a} names a key that has a substitution in its own value")]
    [InlineData("a = ${b}\nb = ${a}", 1, 5, "${b} names a key that has a substitution in its own value")]
    [InlineData("a { b = ${a} }", 1, 9, "${a} names a key that has a substitution in its own value")]
    [InlineData("a { x = [{ y = [${b}] }] }\nb = [${a}]", 1, 17, "${b} names a key that has a substitution in its own value")]
    [InlineData("a = 1\na { b = 2 }", 2, 1, "'a' is a section here and a value at line 1")]
    [InlineData("a { b = 2 }\n\na = 1", 3, 1, "'a' is a value here and a section at line 1")]
    [InlineData("a.b = 1\na.b.c = 2", 2, 1, "'a.b' is a section here and a value at line 1")]
    [InlineData("a = 1\0", 1, 6, "the character U+0000 is no part of a text; settings are a file of UTF-8 text")]
    [InlineData("# \u0007", 1, 3, "the character U+0007 is no part of a text")]
    [InlineData("# f\uFFFDr", 1, 4, "is no part of a text")]
    [InlineData("a = 1\rb = 2", 1, 6, "the character U+000D is no part of a text")]
    public void What_is_wrong_is_refused_where_it_is_with_what_was_expected(string text, int line, int column, string complaint)
    {
        var message = Assert.Throws<SettingsException>(() => SettingsSource.Parse("mine.conf", text)).Message;
        Assert.StartsWith($"mine.conf line {line}, column {column}: ", message, StringComparison.Ordinal);
        Assert.Contains(complaint, message, StringComparison.Ordinal);
        Assert.EndsWith(".", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Theory]
    [InlineData("a {", "")]
    [InlineData("a = {", "")]
    [InlineData("a.", "b = 1")]
    [InlineData("[", "1", "a = ")]
    [InlineData("[{a=", "1", "a = ")]
    public void Nesting_without_end_is_refused_and_does_not_exhaust_the_stack(string opening, string end, string start = "")
    {
        var text = start + string.Concat(Enumerable.Repeat(opening, 20_000)) + end;
        var message = Assert.Throws<SettingsException>(() => SettingsSource.Parse("x", text)).Message;
        Assert.Contains("more than 64 levels stand in each other here", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_message_does_not_repeat_a_long_text()
    {
        var text = new string('x', 10_000);
        Assert.All([$"{text}", $"a = ${{{text}}}", $"{text} = 1\n{text}.b = 1", $"{text} = "],
            wrong => Assert.True(Assert.Throws<SettingsException>(() => SettingsSource.Parse("x", wrong)).Message.Length < 250));
    }

    /// <summary>Our own file, and a text that has everything, with a few characters changed: what is not refused, Akka.NET's parser reads as it is written.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Whatever_becomes_of_a_text_it_is_refused_or_read_whole(int seed)
    {
        const string everything = """"
            { a { b = [1, "x\n", ${c.d}], # comment
              "q.r" : """t"""}
            c.d = { e = 5 s } { f = [] } // another
            g.h =
              [ { i = 1, j = ${k} }, [ 2, ]
              m n ]
            k = w ${l}x "y"
            l = null
            }
            """";
        string[] texts = [File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "akka.hocon")), everything];
        var random = new Random(seed);
        var (text, refused, read) = ("", 0, 0);
        var mutations = Task.Run(() =>
        {
            for (var i = 0; i < 3_000; i++)
            {
                text = Mutated(texts[i % texts.Length], random);
                try
                {
                    AssertWhole(SettingsSource.Parse("x", text));
                    read++;
                }
                catch (SettingsException e)
                {
                    Assert.StartsWith("x line ", e.Message, StringComparison.Ordinal);
                    refused++;
                }
            }
        });
        Assert.True(await Task.WhenAny(mutations, Task.Delay(TimeSpan.FromMinutes(2))) == mutations, $"This never ends: {text}");
        await mutations;
        Assert.True(refused > 300 && read > 300, $"{refused} refused, {read} read");
    }

    private static string Mutated(string text, Random random)
    {
        const string alphabet = "{}[]$\"\\=:,+.#/? \n\tab1";
        var mutated = new StringBuilder(text);
        for (var n = random.Next(1, 4); n > 0; n--)
        {
            var at = random.Next(mutated.Length);
            switch (random.Next(5))
            {
                case 0:
                    mutated.Remove(at, Math.Min(random.Next(1, 20), mutated.Length - at)).Append('\n');
                    break;
                case 1:
                    mutated.Insert(at, mutated.ToString(at, Math.Min(random.Next(1, 40), mutated.Length - at)));
                    break;
                case 2:
                    mutated.Length = at + 1;
                    break;
                case 3:
                    mutated.Insert(at, alphabet[random.Next(alphabet.Length)]);
                    break;
                default:
                    mutated[at] = alphabet[random.Next(alphabet.Length)];
                    break;
            }
        }

        return mutated.ToString();
    }

    /// <summary>The parser has the same keys as the check, and each is what the check takes it for.</summary>
    private static void AssertWhole(SettingsSource source)
    {
        var sections = new Dictionary<string, bool>();
        Collect(source.Config.Root.GetObject(), "");
        Assert.Equal(source.Keys.Select(key => (key.Key, key.Value.IsSection)).Order(), sections.Select(key => (key.Key, key.Value)).Order());

        void Collect(HoconObject section, string path)
        {
            foreach (var (name, value) in section.Items)
            {
                var key = HoconKeys.Join(path, name);
                sections[key] = value.Values[0] is HoconObject;
                if (value.Values[0] is HoconObject inner)
                    Collect(inner, key);
                else
                    _ = value.ToString();
            }
        }
    }
}
