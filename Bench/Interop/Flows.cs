using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Tapwire.Tests.Live.Interop;

namespace Tapwire.Bench.Interop;

/// <summary>
/// Single connections over a path, for a time, in megabits per second of what has arrived. The far end is always the kernel; at the near end is a service
/// of our driver, or the kernel doing the same.
/// </summary>
/// <param name="skip">The beginning that does not count; the clock starts when the connection stands.</param>
internal sealed class Flows(ImpairedPath path, TimeSpan time, TimeSpan skip = default)
{
    private const int Chunk = 1 << 20;

    private static readonly IPAddress Ours = IPAddress.Parse(ImpairedPath.OurAddress);

    /// <summary>Our sender, the kernel's receiver.</summary>
    public async Task<double> FromOursAsync()
    {
        using var socket = Abortive(await KernelSocket.ConnectAsync(path.Far, new IPEndPoint(Ours, ImpairedPath.Source)));
        return await ReceiveAsync(socket);
    }

    /// <summary>The kernel on both sides; the near one sends.</summary>
    public async Task<double> FromKernelAsync(string congestion)
    {
        using var listener = KernelSocket.Listen(path.Near, ImpairedPath.NearAddress, congestion);
        using var socket = Abortive(await KernelSocket.ConnectAsync(path.Far, listener.LocalEndPoint!));
        using var accepted = Abortive(await KernelSocket.AcceptAsync(listener));
        using var stop = new CancellationTokenSource();
        var sending = SendAsync(accepted, stop.Token);
        var rate = await ReceiveAsync(socket);
        await stop.CancelAsync();
        await sending;
        return rate;
    }

    /// <summary>The kernel's sender, our receiver.</summary>
    public async Task<double> ToOursAsync(string congestion)
    {
        using var socket = Abortive(await KernelSocket.ConnectAsync(path.Far, new IPEndPoint(Ours, ImpairedPath.Discard), congestion));
        return await SendAndCountAsync(socket);
    }

    /// <summary>The kernel on both sides; the near one receives.</summary>
    public async Task<double> ToKernelAsync(string congestion)
    {
        using var listener = KernelSocket.Listen(path.Near, ImpairedPath.NearAddress);
        using var socket = Abortive(await KernelSocket.ConnectAsync(path.Far, listener.LocalEndPoint!, congestion));
        using var accepted = Abortive(await KernelSocket.AcceptAsync(listener));
        using var stop = new CancellationTokenSource();
        var receiving = CountAsync(accepted, stop.Token);
        var rate = await SendAndCountAsync(socket);
        await stop.CancelAsync();
        await receiving;
        return rate;
    }

    /// <summary>Closing drops what is queued and sends a reset, so that the next measurement has the path for itself.</summary>
    private static Socket Abortive(Socket socket)
    {
        socket.LingerState = new LingerOption(true, 0);
        return socket;
    }

    private static async Task SendAsync(Socket socket, CancellationToken cancel)
    {
        var bytes = new byte[Chunk];
        await UntilCancelledAsync(async () => await socket.SendAsync(bytes, SocketFlags.None, cancel));
    }

    private static async Task<long> CountAsync(Socket socket, CancellationToken cancel)
    {
        var buffer = new byte[Chunk];
        var count = 0L;
        await UntilCancelledAsync(async () =>
        {
            var received = await socket.ReceiveAsync(buffer, SocketFlags.None, cancel);
            count += received > 0 ? received : throw new IOException("The connection has ended.");
        });
        return count;
    }

    private static async Task UntilCancelledAsync(Func<Task> step)
    {
        try
        {
            while (true)
                await step();
        }
        catch (OperationCanceledException)
        {
            // The time is over.
        }
    }

    private static double Rate(long bytes, TimeSpan elapsed) => bytes * 8 / elapsed.TotalSeconds / 1e6;

    private async Task<double> ReceiveAsync(Socket socket)
    {
        if (skip > TimeSpan.Zero)
        {
            using var begun = new CancellationTokenSource(skip);
            await CountAsync(socket, begun.Token);
        }

        var clock = Stopwatch.StartNew();
        using var over = new CancellationTokenSource(time);
        return Rate(await CountAsync(socket, over.Token), clock.Elapsed);
    }

    private async Task<double> SendAndCountAsync(Socket socket)
    {
        var clock = Stopwatch.StartNew();
        using var over = new CancellationTokenSource(time);
        await SendAsync(socket, over.Token);
        return Rate(KernelSocket.BytesAcknowledged(socket), clock.Elapsed);
    }
}
