namespace Tapwire.Bench.Scale;

/// <summary>What the kernel counts, in bytes.</summary>
internal static class ProcessMemory
{
    public static long Resident => Read("self", "VmRSS:");

    public static long LargestResident => Read("self", "VmHWM:");

    public static long ResidentOf(int process) => Read(process.ToString(System.Globalization.CultureInfo.InvariantCulture), "VmRSS:");

    private static long Read(string process, string name)
    {
        foreach (var line in File.ReadLines($"/proc/{process}/status"))
        {
            if (line.StartsWith(name, StringComparison.Ordinal))
                return long.Parse(line.AsSpan(name.Length, line.Length - name.Length - 2).Trim(), System.Globalization.CultureInfo.InvariantCulture) * 1024;
        }

        return 0;
    }
}
