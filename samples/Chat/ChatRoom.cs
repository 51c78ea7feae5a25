using System.Net;
using System.Text;

namespace Tapwire.Samples.Chat;

/// <summary>One end of a chat.</summary>
public static class ChatRoom
{
    /// <summary>Where it hears.</summary>
    public const int Port = 5000;

    /// <summary>Sends lines to the peer until there are no more, and says what it hears meanwhile.</summary>
    public static async Task RunAsync(TapwireNetwork network, IPEndPoint peer, IAsyncEnumerable<string> lines, Action<string> hear)
    {
        using var socket = await network.BindUdpAsync(Port);
        using var over = new CancellationTokenSource();
        var hearing = HearAsync();
        await foreach (var line in lines)
            await socket.SendToAsync(Encoding.UTF8.GetBytes(line), peer);
        await over.CancelAsync();
        await hearing;

        async Task HearAsync()
        {
            var buffer = new byte[65536];
            try
            {
                while (true)
                    hear(Encoding.UTF8.GetString(buffer, 0, (await socket.ReceiveFromAsync(buffer, over.Token)).ReceivedBytes));
            }
            catch (OperationCanceledException)
            {
                // The chat is over.
            }
        }
    }
}
