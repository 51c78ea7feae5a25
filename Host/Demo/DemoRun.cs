using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Tapwire.Actors.Settings;
using Tapwire.Configuration;
using Tapwire.Links;
using Tapwire.Links.Client;
using Tapwire.Messages;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Wires;

namespace Tapwire.Host.Demo;

/// <summary>
/// Two hosts on an in-memory cable, each a driver with its own link. An application on the left reads a file and writes it to its descriptors; an application on the
/// right reads its descriptors and writes a file: AF_UNIX → stack → cable → stack → AF_UNIX.
/// </summary>
internal sealed class DemoRun(DemoOptions options)
{
    private const ushort Port = 5001;
    private const int Chunk = 128 << 10;

    // The header of each connection: offset and length of its part of the file.
    private const int PreambleSize = 2 * sizeof(long);

    private static readonly IpAddress Left = IpAddress.Parse("10.99.0.1");
    private static readonly IpAddress Right = IpAddress.Parse("10.99.0.2");

    private long _received;

    /// <summary>Bytes received on the right so far.</summary>
    public long Received => Interlocked.Read(ref _received);

    public async Task<DemoResult> RunAsync(CancellationToken cancel)
    {
        var directory = TemporaryDirectory.Create("tapwire-demo-");
        try
        {
            CheckRoom(directory);
            var sent = Path.Combine(directory.FullName, "sent");
            var received = Path.Combine(directory.FullName, "received");
            var sentHash = await MakeFileAsync(sent, cancel);
            using var cable = new Cable(new CableOptions
            {
                NameA = "left",
                NameB = "right",
                AToB = options.Impairments,
                BToA = options.Impairments,
                Seed = options.Seed,
            }, TimeProvider.System);
            await using var left = await StartAsync("left", Left, cable.A, directory.FullName);
            await using var right = await StartAsync("right", Right, cable.B, directory.FullName);

            var elapsed = await TransferInTimeAsync(directory.FullName, sent, received, cancel);

            return new DemoResult(sentHash, await HashAsync(received, cancel), elapsed,
                await left.AskStack<StackStatus>(GetStatus.Instance), await right.AskStack<StackStatus>(GetStatus.Instance),
                cable.AToB, cable.BToA);
        }
        finally
        {
            directory.Delete(recursive: true);
        }
    }

    /// <summary>Checks that the disk has room for both files, the sent and the received one.</summary>
    /// <exception cref="CommandFailedException">The disk has too little room.</exception>
    private void CheckRoom(DirectoryInfo directory)
    {
        var free = new DriveInfo(directory.FullName).AvailableFreeSpace;
        if (free / 2 < options.Size)
        {
            throw new CommandFailedException($"The file is made and received in {directory.Parent}, which has {ByteSize.Format(free)} left, less than twice "
                + $"{ByteSize.Format(options.Size)}; give a smaller --size, or have TMPDIR name a directory with more room.");
        }
    }

    /// <exception cref="CommandFailedException">A connection was given up before all bytes had arrived.</exception>
    private async Task<TimeSpan> TransferInTimeAsync(string directory, string sent, string received, CancellationToken cancel)
    {
        try
        {
            return await TransferAsync(directory, sent, received, cancel);
        }
        catch (Exception e) when ((e as SocketException ?? e.InnerException as SocketException) is { } cause)
        {
            throw new CommandFailedException($"The transfer has ended after {ByteSize.Format(Received)} of {ByteSize.Format(options.Size)}: {cause.Message}; "
                + "the cable lets too little through, give less of --loss, --corrupt or --latency.", e);
        }
        catch (EndOfStreamException e)
        {
            throw new CommandFailedException("The transfer has ended before it began; the cable lets too little through, give less of --loss, --corrupt or --latency.", e);
        }
    }

    private async Task<string> MakeFileAsync(string path, CancellationToken cancel)
    {
        var random = new Random((int)(options.Seed ^ (options.Seed >> 32)));
        var chunk = new byte[1 << 20];
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        for (var left = options.Size; left > 0;)
        {
            random.NextBytes(chunk);
            var part = chunk.AsMemory(0, (int)Math.Min(left, chunk.Length));
            hash.AppendData(part.Span);
            await file.WriteAsync(part, cancel);
            left -= part.Length;
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static async Task<string> HashAsync(string path, CancellationToken cancel)
    {
        await using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancel));
    }

    private static string LinkPath(string directory, string name) => Path.Combine(directory, name, "link.sock");

    private static Task<RunningDriver> StartAsync(string name, IpAddress address, IWire wire, string directory)
    {
        var configuration = HostConfiguration.Load(null, "akka.loglevel = WARNING");
        var settings = configuration.Settings with { Addresses = [new IpPrefix(address, 24)], Serve = [] };
        return RunningDriver.StartAsync(name, configuration.Config, settings, [[wire]], _ => throw new WireException("The cable is cut."),
            LinkListener.Listen(LinkPath(directory, name)), new BufferPool());
    }

    private async Task<TimeSpan> TransferAsync(string directory, string sent, string received, CancellationToken cancel)
    {
        using var sender = await TapwireClient.ConnectAsync(LinkPath(directory, "left"), cancel);
        using var receiver = await TapwireClient.ConnectAsync(LinkPath(directory, "right"), cancel);
        using var listener = await receiver.ListenAsync(new IPEndPoint(Right.ToSystem(), Port), Math.Max(128, options.Connections), cancellationToken: cancel);
        using var source = File.OpenHandle(sent);
        using var target = File.OpenHandle(received, FileMode.CreateNew, FileAccess.Write, preallocationSize: options.Size);
        using var failed = CancellationTokenSource.CreateLinkedTokenSource(cancel);

        var watch = Stopwatch.StartNew();
        List<Task> tasks = [AcceptAsync(listener, target, failed.Token)];
        for (var i = 0; i < options.Connections; i++)
        {
            var from = options.Size / options.Connections * i;
            var to = i == options.Connections - 1 ? options.Size : from + options.Size / options.Connections;
            tasks.Add(SendAsync(sender, source, from, to - from, failed.Token));
        }

        // The first failure cancels the other transfers, because one whose peer has given up would wait for ever.
        await foreach (var task in Task.WhenEach(tasks))
        {
            if (task.IsCompletedSuccessfully)
                continue;
            await failed.CancelAsync();
            await task;
        }

        return watch.Elapsed;
    }

    private async Task AcceptAsync(TapwireListener listener, Microsoft.Win32.SafeHandles.SafeFileHandle target, CancellationToken cancel)
    {
        var tasks = new List<Task>();
        for (var i = 0; i < options.Connections; i++)
            tasks.Add(ReceiveAsync(await listener.AcceptAsync(cancel), target, cancel));
        await Task.WhenAll(tasks);
    }

    private async Task ReceiveAsync(TapwireStream stream, Microsoft.Win32.SafeHandles.SafeFileHandle target, CancellationToken cancel)
    {
        await using (stream)
        {
            var buffer = new byte[Chunk];
            await stream.ReadExactlyAsync(buffer.AsMemory(0, PreambleSize), cancel);
            var offset = BinaryPrimitives.ReadInt64LittleEndian(buffer);
            var end = offset + BinaryPrimitives.ReadInt64LittleEndian(buffer.AsSpan(sizeof(long)));
            while (await stream.ReadAsync(buffer, cancel) is > 0 and var count)
            {
                await RandomAccess.WriteAsync(target, buffer.AsMemory(0, count), offset, cancel);
                offset += count;
                Interlocked.Add(ref _received, count);
            }

            if (offset != end)
                throw new CommandFailedException($"A connection ended {end - offset} bytes short.");
        }
    }

    private static async Task SendAsync(TapwireClient client, Microsoft.Win32.SafeHandles.SafeFileHandle source, long offset, long length, CancellationToken cancel)
    {
        await using var stream = await client.ConnectTcpAsync(new IPEndPoint(Right.ToSystem(), Port), cancellationToken: cancel);
        var buffer = new byte[Chunk];
        BinaryPrimitives.WriteInt64LittleEndian(buffer, offset);
        BinaryPrimitives.WriteInt64LittleEndian(buffer.AsSpan(sizeof(long)), length);
        await stream.WriteAsync(buffer.AsMemory(0, PreambleSize), cancel);
        while (length > 0)
        {
            var count = await RandomAccess.ReadAsync(source, buffer.AsMemory(0, (int)Math.Min(length, Chunk)), offset, cancel);
            await stream.WriteAsync(buffer.AsMemory(0, count), cancel);
            offset += count;
            length -= count;
        }

        stream.Shutdown(SocketShutdown.Send);
        // The receiver closes the connection when it has received everything.
        if (await stream.ReadAsync(buffer, cancel) != 0)
            throw new CommandFailedException("The receiver answered something, which it never does.");
    }
}
