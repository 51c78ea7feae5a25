using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Tapwire.Bench.Scale;

/// <summary>Kernel sockets, each connected, which echo one byte when they are told to on standard input. Times are in microseconds.</summary>
internal static class KernelClient
{
    /// <summary>What follows: own address, server, port, connections.</summary>
    public const string Argument = "--kernel-client";

    public static int Run(IPAddress local, IPAddress server, int port, int connections)
    {
        var begun = Stopwatch.GetTimestamp();
        var sockets = new List<Socket>(connections);
        for (var i = 0; i < connections; i++)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            socket.Bind(new IPEndPoint(local, 0));
            socket.Connect(new IPEndPoint(server, port));
            sockets.Add(socket);
        }

        Say(Stopwatch.GetElapsedTime(begun).TotalMicroseconds / connections);
        while (Console.In.ReadLine()?.Split(' ') is ["echo", var rounds, var count])
        {
            var latency = new LatencyLog(connections);
            var active = int.Parse(count, CultureInfo.InvariantCulture);
            for (var round = 0; round < Math.Max(active, int.Parse(rounds, CultureInfo.InvariantCulture)); round++)
                Echo(sockets[(int)((long)(round % active) * connections / active)], latency);
            Say(latency.Percentile(0.5), latency.Percentile(0.99));
        }

        // By reset: tens of thousands of records in TIME-WAIT would be in the way of the next clients.
        foreach (var socket in sockets)
        {
            socket.LingerState = new LingerOption(true, 0);
            socket.Dispose();
        }

        return 0;
    }

    private static void Echo(Socket socket, LatencyLog latency)
    {
        Span<byte> data = [(byte)latency.GetHashCode()];
        Span<byte> echoed = stackalloc byte[1];
        var begun = Stopwatch.GetTimestamp();
        socket.Send(data);
        if (socket.Receive(echoed) != 1 || echoed[0] != data[0])
            throw new InvalidOperationException("What came back is not what was sent.");
        latency.Add(Stopwatch.GetElapsedTime(begun));
    }

    private static void Say(params double[] microseconds)
    {
        Console.WriteLine(string.Join(' ', microseconds.Select(number => number.ToString("F1", CultureInfo.InvariantCulture))));
        Console.Out.Flush();
    }
}
