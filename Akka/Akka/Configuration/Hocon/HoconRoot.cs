namespace Akka.Configuration.Hocon;

/// <summary>What a parsed text consists of.</summary>
public class HoconRoot
{
    protected HoconRoot()
        : this(new HoconValue())
    {
    }

    public HoconRoot(HoconValue value)
        : this(value, [])
    {
    }

    public HoconRoot(HoconValue value, IEnumerable<HoconSubstitution> substitutions)
    {
        Value = value;
        Substitutions = substitutions;
    }

    public HoconValue Value { get; }

    public IEnumerable<HoconSubstitution> Substitutions { get; }
}
