using Akka.Configuration;
using Akka.Configuration.Hocon;
using Xunit;

namespace Akka.Tests.Configuration;

public class HoconSpec
{
    private static Config Parse(string hocon) => ConfigurationFactory.ParseString(hocon);

    [Theory]
    [InlineData("a = 1")]
    [InlineData("a : 1")]
    [InlineData("a=1,")]
    [InlineData("{ a = 1 }")]
    [InlineData("  \n\n { \"a\" : 1 } \n # end")]
    [InlineData("a\t=\n 1")]
    [InlineData("\uFEFFa = 1")]
    [InlineData("a= \t \t 1 \t \t,")]
    [InlineData("a = 1 # comment")]
    [InlineData("a = 1// comment")]
    [InlineData("# a = 2\n// a = 3\na = 1\r\n")]
    [InlineData("a = 2\na = 1")]
    [InlineData("a = { b = 2 }, a = 1")]
    public void A_key_gets_its_value(string hocon) => Assert.Equal("1", Parse(hocon).GetString("a"));

    [Theory]
    [InlineData("a.b.c = 1")]
    [InlineData("a { b { c = 1 } }")]
    [InlineData("a.b { c : 1 }")]
    [InlineData("a { b.c = 1 }")]
    [InlineData("a = { b = { c = 1 } }")]
    [InlineData("\"a\".b.\"c\" = 1")]
    [InlineData("a . b . c = 1")]
    [InlineData("a\n{ b { c = 1 }")]
    [InlineData("a = 5\na.b.c = 1")]
    [InlineData("a { b = 5 } a.b { c = 1 }")]
    public void A_path_and_nested_objects_are_the_same(string hocon) => Assert.Equal(1, Parse(hocon).GetInt("a.b.c"));

    [Theory]
    [InlineData("a b c = 1", "a b c")]
    [InlineData("a { \"some quoted, key\" = 1 }", "a.some quoted, key")]
    [InlineData("\"/a/d.ev/*\" = 1", "\"/a/d.ev/*\"")]
    [InlineData("a { \"/b.c/*\".d = 1 }", "a.\"/b.c/*\".d")]
    [InlineData("/driver/stack { x-y_z = 1 }", "/driver/stack.x-y_z")]
    [InlineData("3.14 = 1", "3.14")]
    [InlineData("include = 1", "include")]
    [InlineData("includes.x = 1", "includes.x")]
    public void A_key_may_have_blanks_or_stand_in_quotes(string hocon, string path) => Assert.Equal(1, Parse(hocon).GetInt(path));

    [Theory]
    [InlineData("a = hello world", "hello world")]
    [InlineData("a = 127.0.0.1", "127.0.0.1")]
    [InlineData("a = \"hello\"", "hello")]
    [InlineData("a = \"\"", "")]
    [InlineData("a = \" x \"", " x ")]
    [InlineData("a = \"x = {y} # not a comment\"", "x = {y} # not a comment")]
    [InlineData("a = \"tab\\t quote\\\" back\\\\ slash\\/ \\u0041\"", "tab\t quote\" back\\ slash/ A")]
    [InlineData("a = \"\"\"C:\\Dev\\\"x\"\n  y\"\"\"", "C:\\Dev\\\"x\"\n  y")]
    [InlineData("a = \"\"\"\"quoted\"\"\"\"", "\"quoted\"")]
    [InlineData("a = one \"two \" three", "one two  three")]
    [InlineData("a = http \"://\" host/x", "http :// host/x")]
    [InlineData("a = \"null\"", "null")]
    [InlineData("a = null", null)]
    public void Text_is_read_as_it_is_written(string hocon, string? expected)
    {
        Assert.True(Parse(hocon).HasPath("a"));
        Assert.Equal(expected, Parse(hocon).GetString("a"));
    }

    [Theory]
    [InlineData("a = [1,2,3,4]")]
    [InlineData("a = [1, 2, 3, 4,]")]
    [InlineData("a = [\n 1\n 2 # two\n\n 3,\n 4\n]")]
    [InlineData("a = [1,2] [3,4]")]
    [InlineData("a = [1,2]\na += 3\na += 4")]
    [InlineData("a += 1, a += 2, a += 3, a += 4")]
    [InlineData("b = [1,2], a = ${b} [3,4]")]
    [InlineData("a = [1,2]\na = ${a} [3]\na = ${a} [4]")]
    [InlineData("a = ${?a} [1,2]\na = ${?a} [3,4]")]
    public void Arrays_are_written_on_one_line_or_many_and_joined(string hocon) => Assert.Equal([1, 2, 3, 4], Parse(hocon).GetIntList("a"));

    [Fact]
    public void Arrays_hold_texts_objects_and_arrays()
    {
        var config = Parse("a = [one two, \"three\", { x = 4 }, [5, 6], []]");
        var elements = config.GetValue("a")!.GetArray();
        Assert.Equal(5, elements.Count);
        Assert.Equal("one two", elements[0].GetString());
        Assert.Equal("three", elements[1].GetString());
        Assert.Equal(4, elements[2].GetChildObject("x")!.GetInt());
        Assert.Equal([5, 6], elements[3].GetIntList());
        Assert.Empty(elements[4].GetArray());
    }

    [Theory]
    [InlineData("a { x = 1, y = 2 }\na { y = 3, z = 4 }")]
    [InlineData("a = { x = 1, y = 2 } { y = 3, z = 4 }")]
    [InlineData("a = { x = 1, y = 2 }\na = { y = 3, z = 4 }")]
    [InlineData("b = { x = 1, y = 2 }\na = ${b} { y = 3, z = 4 }")]
    [InlineData("b = { x = 1, y = 2 }\na = ${b}\na = { y = 3, z = 4 }")]
    [InlineData("b = { x = 1, y = 2 }\na = ${b}\na.y = 3\na.z = 4")]
    [InlineData("b = { y = 3, z = 4 }\na = { x = 1, y = 2 }\na = ${b}")]
    [InlineData("b = { y = 3, z = 4 }\na = { x = 1, y = 2 } ${b}")]
    [InlineData("a = ${?nothing} { x = 1, y = 2 } { y = 3, z = 4 }")]
    public void Objects_merge_and_the_later_key_wins(string hocon)
    {
        var a = Parse(hocon).GetConfig("a")!;
        Assert.Equal((1, 3, 4), (a.GetInt("x"), a.GetInt("y"), a.GetInt("z")));
        Assert.Equal(3, a.AsEnumerable().Count());
    }

    [Theory]
    [InlineData("a = 1\nb = ${a}23", "123")]
    [InlineData("b = ${a}23\na = 1", "123")]
    [InlineData("a { name = Roger }\nb = Hello my name is ${a.name}", "Hello my name is Roger")]
    [InlineData("b = ${c.d}x\nc = ${e}\ne { d = 1 }", "1x")]
    [InlineData("\"x.y\" = 1, b = ${\"x.y\"}", "1")]
    [InlineData("b = 1\nb = ${b}2\nb = ${b}3", "123")]
    [InlineData("b = x${?nothing}y", "xy")]
    [InlineData("b = x ${?nothing}", "x")]
    [InlineData("b = 1, b = ${?nothing}", "1")]
    [InlineData("a = null, b = ${a}", null)]
    [InlineData("o { b = 1 }, o { c = ${o.b} }, b = ${o.c}", "1")]
    [InlineData("b = ${nothing}\nb = 1", "1")]
    public void A_substitution_stands_for_the_value_at_its_path(string hocon, string? expected) => Assert.Equal(expected, Parse(hocon).GetString("b"));

    [Fact]
    public void A_key_whose_optional_substitution_finds_nothing_is_not_there()
    {
        var config = Parse("a = ${?nothing}, b = [1, ${?nothing}, 2], c { d = ${?a} }");
        Assert.False(config.HasPath("a"));
        Assert.False(config.HasPath("c.d"));
        Assert.Equal([1, 2], config.GetIntList("b"));
    }

    [Fact]
    public void Substitutions_are_listed_with_what_they_resolved_to()
    {
        var substitution = Assert.Single(Parse("a = 1, b = ${a}, c = ${?nothing}").Substitutions);
        Assert.Equal("a", substitution.Path);
        Assert.Equal(1, substitution.ResolvedValue!.GetInt());
    }

    [Fact]
    public void An_included_text_is_put_where_the_include_stands()
    {
        var names = new List<string>();
        var config = ConfigurationFactory.ParseString("a { b { x = 1\n include \"foo\" } }\ninclude \"bar\"", name =>
        {
            names.Add(name);
            return Parser.Parse(name == "foo" ? "x = 123, y = ${x}" : "top = 1, z = ${top}", null);
        });
        Assert.Equal(["foo", "bar"], names);
        Assert.Equal((123, 123, 1), (config.GetInt("a.b.x"), config.GetInt("a.b.y"), config.GetInt("z")));
        Assert.Equal(["a.b.x", "top"], config.Substitutions.Select(s => s.Path));
    }

    [Fact]
    public void Json_is_hocon()
    {
        var config = Parse("""{ "a" : { "int" : 1, "real" : -1.5e2, "on" : true, "no" : null, "list" : [ "x", "y" ], "empty" : {} } }""");
        Assert.Equal(1, config.GetInt("a.int"));
        Assert.Equal(-150, config.GetDouble("a.real"));
        Assert.True(config.GetBoolean("a.on"));
        Assert.Null(config.GetString("a.no"));
        Assert.Equal(["x", "y"], config.GetStringList("a.list"));
        Assert.True(config.GetConfig("a.empty").IsNullOrEmpty());
    }
}
