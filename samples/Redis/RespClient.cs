using System.Globalization;
using System.Text;

namespace Tapwire.Samples.Redis;

/// <summary>A client that speaks RESP2 over any stream. One command at a time.</summary>
public sealed class RespClient : IAsyncDisposable
{
    private readonly Stream _stream;

    private RespClient(Stream stream) => _stream = stream;

    /// <summary>Connects to a server of the network.</summary>
    public static async Task<RespClient> ConnectAsync(TapwireNetwork network, string server, int port = 6379) =>
        new(new BufferedStream(await network.ConnectAsync(server, port, new TapwireConnectOptions { NoDelay = true })));

    /// <summary>Sends a command.</summary>
    /// <returns>The answer; null: there is no such value.</returns>
    /// <exception cref="InvalidOperationException">The server says that the command is wrong.</exception>
    public async Task<string?> SendAsync(params string[] command)
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"*{command.Length}\r\n");
        foreach (var word in command)
            text.Append(CultureInfo.InvariantCulture, $"${Encoding.UTF8.GetByteCount(word)}\r\n{word}\r\n");
        await _stream.WriteAsync(Encoding.UTF8.GetBytes(text.ToString()));
        await _stream.FlushAsync();
        var line = await ReadLineAsync();
        return line[0] switch
        {
            '+' or ':' => line[1..],
            '$' => await ReadBytesAsync(int.Parse(line.AsSpan(1), CultureInfo.InvariantCulture)),
            '-' => throw new InvalidOperationException(line[1..]),
            _ => throw new InvalidDataException($"An answer of a kind that this client does not know: {line}"),
        };
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    private async Task<string?> ReadBytesAsync(int length)
    {
        if (length < 0)
            return null;
        var bytes = new byte[length + 2];
        await _stream.ReadExactlyAsync(bytes);
        return Encoding.UTF8.GetString(bytes, 0, length);
    }

    private async Task<string> ReadLineAsync()
    {
        var line = new StringBuilder();
        var one = new byte[1];
        while (true)
        {
            await _stream.ReadExactlyAsync(one);
            if (one[0] == '\n')
                return line.ToString().TrimEnd('\r');
            line.Append((char)one[0]);
        }
    }
}
