using System.Buffers.Binary;
using System.Net.Sockets;
using System.Security.Cryptography;
using Tapwire.Links.Client;
using Xunit;

namespace Tapwire.Tests.Live.Support;

/// <summary>What was sent, or received: as many bytes, with this SHA-256.</summary>
internal readonly record struct Sum(long Bytes, string Hash);

/// <summary>Moves bytes that are different everywhere in the stream, and sums them up at both ends.</summary>
internal static class Transfer
{
    private const int BlockLength = 1 << 20;
    private const int LargestRead = 256 << 10;

    /// <summary>Sends a stream of bytes, the same ones for the same seed.</summary>
    /// <param name="write">Bytes of one write, at most 1 MiB.</param>
    public static Task<Sum> SendAsync(Stream to, long bytes, int write = 128 << 10, int seed = 1) => Task.Run(async () =>
    {
        var block = new byte[BlockLength];
        new Random(seed).NextBytes(block);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (long sent = 0; sent < bytes;)
        {
            var offset = (int)(sent % BlockLength);
            if (offset == 0)
                BinaryPrimitives.WriteInt64LittleEndian(block, sent);
            var length = (int)Math.Min(Math.Min(write, BlockLength - offset), bytes - sent);
            hash.AppendData(block, offset, length);
            await to.WriteAsync(block.AsMemory(offset, length));
            sent += length;
        }

        return new Sum(bytes, Convert.ToHexString(hash.GetHashAndReset()));
    }).WaitAsync(LiveSize.PatienceFor(bytes));

    /// <summary>Sends a stream of bytes and its end.</summary>
    public static async Task<Sum> SendToEndAsync(Stream to, long bytes, int write = 128 << 10, int seed = 1)
    {
        var sum = await SendAsync(to, bytes, write, seed);
        EndSending(to);
        return sum;
    }

    /// <summary>Receives up to the end of the stream.</summary>
    /// <param name="expected">About how much: decides only how long it may take.</param>
    public static Task<Sum> ReceiveToEndAsync(Stream from, long expected, int read = LargestRead) => Task.Run(async () =>
    {
        var buffer = new byte[read];
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        long received = 0;
        while (await from.ReadAsync(buffer) is > 0 and var count)
        {
            hash.AppendData(buffer, 0, count);
            received += count;
        }

        return new Sum(received, Convert.ToHexString(hash.GetHashAndReset()));
    }).WaitAsync(LiveSize.PatienceFor(expected));

    /// <summary>Both at once, to the end in both directions: what comes back must be what was sent.</summary>
    public static async Task EchoAsync(Stream stream, long bytes, int write = 128 << 10, int read = LargestRead, int seed = 1)
    {
        var sending = SendToEndAsync(stream, bytes, write, seed);
        var receiving = ReceiveToEndAsync(stream, bytes, read);
        Assert.Equal(await sending, await receiving);
    }

    /// <summary>Ends the direction from here to the peer; the other one goes on.</summary>
    public static void EndSending(Stream stream)
    {
        switch (stream)
        {
            case NetworkStream kernel:
                kernel.Socket.Shutdown(SocketShutdown.Send);
                break;
            case TapwireStream application:
                application.Shutdown(SocketShutdown.Send);
                break;
        }
    }
}
