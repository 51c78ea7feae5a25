using System.Globalization;

namespace Tapwire.Host.Status;

/// <summary>Sockets as lines of text, as ss prints them. Columns that do not fit are left out, the least important ones first.</summary>
internal static class SocketTable
{
    private const string Gap = "  ";

    /// <summary>In their order on the line. Rank: the highest goes first where the window is too narrow; 0 never goes.</summary>
    private static readonly Column[] Columns =
    [
        new("STATE", 0, false, static row => NameOf(row.State)),
        new("RECV-Q", 0, true, static row => Number(row.ReceiveQueue)),
        new("SEND-Q", 0, true, static row => Number(row.SendQueue)),
        new("LOCAL", 0, false, static row => row.Local),
        new("REMOTE", 0, false, static row => row.Remote.Length == 0 ? "*" : row.Remote),
        new("PROCESS", 3, false, static row => row.OwnerText),
        new("LIMITED BY", 1, false, static row => row.LimitedBy),
        new("OUT", 2, true, static row => row.SendRate is { } rate ? StatusUnits.BitRate(rate) : row.Sent is { } sent ? StatusUnits.Size(sent) : ""),
        new("IN", 2, true, static row => row.ReceiveRate is { } rate ? StatusUnits.BitRate(rate) : row.Received is { } received ? StatusUnits.Size(received) : ""),
        new("RTT", 4, true, static row => row.RoundTrip is { } time ? StatusUnits.Time(time) : ""),
        new("AGE", 5, true, static row => row.Age is { } age ? StatusUnits.Age(age) : ""),
        new("DEV", 6, false, static row => row.Interface),
        new("UID", 7, true, static row => row.User is { } user ? user.ToString(CultureInfo.InvariantCulture) : ""),
        new("DROPPED", 8, true, static row => row.Dropped == 0 ? "" : Number(row.Dropped)),
    ];

    /// <summary>The header and a line for each row; none for no rows.</summary>
    /// <param name="width">Columns of the window; <see cref="int.MaxValue"/>: no limit.</param>
    /// <param name="withInfo">Adds a line of TCP's variables to each connection.</param>
    public static IEnumerable<string> Lines(IReadOnlyList<SocketRow> rows, int width, bool withInfo)
    {
        if (rows.Count == 0)
            yield break;
        var columns = Fitting(rows, width);
        yield return Line(columns.Select(static each => each.Column.Title), columns);
        foreach (var row in rows)
        {
            yield return Line(columns.Select(each => each.Column.Text(row)), columns);
            if (withInfo && row.Info.Length > 0)
                yield return $"    {row.Info}";
        }
    }

    private static List<(Column Column, int Width)> Fitting(IReadOnlyList<SocketRow> rows, int width)
    {
        // A column that no row has anything in says nothing.
        var columns = Columns.Select(column => (Column: column, Widest: rows.Max(row => column.Text(row).Length))).Where(static each => each.Column.Rank == 0 || each.Widest > 0)
            .Select(static each => (each.Column, Width: Math.Max(each.Widest, each.Column.Title.Length))).ToList();
        while (columns.Sum(static each => each.Width + Gap.Length) - Gap.Length > width && columns.Max(static each => each.Column.Rank) is > 0 and var last)
            columns.RemoveAll(each => each.Column.Rank == last);
        return columns;
    }

    private static string Line(IEnumerable<string> texts, List<(Column Column, int Width)> columns) =>
        string.Join(Gap, texts.Zip(columns, static (text, each) => each.Column.IsNumber ? text.PadLeft(each.Width) : text.PadRight(each.Width))).TrimEnd();

    /// <summary>As ss has it.</summary>
    private static string NameOf(string state) => state switch
    {
        "Established" => "ESTAB",
        "SynSent" => "SYN-SENT",
        "SynReceived" => "SYN-RECV",
        "FinWait1" => "FIN-WAIT-1",
        "FinWait2" => "FIN-WAIT-2",
        "CloseWait" => "CLOSE-WAIT",
        "LastAck" => "LAST-ACK",
        "TimeWait" => "TIME-WAIT",
        _ => state.ToUpperInvariant(),
    };

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private sealed record Column(string Title, int Rank, bool IsNumber, Func<SocketRow, string> Text);
}
