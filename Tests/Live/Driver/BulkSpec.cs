using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tapwire.Tests.Live.Support;
using Xunit;
using Xunit.Abstractions;

namespace Tapwire.Tests.Live.Driver;

/// <summary>Kernel sockets and the driver's own services: bytes in bulk, on a wire that loses none.</summary>
public abstract class BulkSpecs(SharedDriver shared, ITestOutputHelper output)
{
    [SkippableFact]
    public async Task What_a_kernel_socket_sends_is_taken_to_its_last_byte_and_answered_with_end_of_file()
    {
        await using var connection = await shared.Driver.ConnectFromKernelAsync(LiveDriver.Discard);
        var clock = Stopwatch.StartNew();
        var sending = Transfer.SendToEndAsync(connection, LiveSize.Bulk);
        var received = await Transfer.ReceiveToEndAsync(connection, LiveSize.Bulk);
        Report("kernel to driver", LiveSize.Bulk, clock);
        Assert.Equal(0, received.Bytes);
        Assert.Equal(LiveSize.Bulk, (await sending).Bytes);
    }

    [SkippableFact]
    public async Task The_source_counts_without_a_gap_for_as_long_as_it_is_read()
    {
        await using var connection = await shared.Driver.ConnectFromKernelAsync(LiveDriver.Source);
        var clock = Stopwatch.StartNew();
        await ReadCounterAsync(connection, LiveSize.Bulk).WaitAsync(LiveSize.PatienceFor(LiveSize.Bulk));
        Report("driver to kernel", LiveSize.Bulk, clock);
    }

    [SkippableFact]
    public async Task The_source_ends_when_its_reader_has()
    {
        await using var connection = await shared.Driver.ConnectFromKernelAsync(LiveDriver.Source);
        connection.Socket.Shutdown(SocketShutdown.Send);
        var received = await Transfer.ReceiveToEndAsync(connection, 1 << 20);
        Assert.Equal(0, received.Bytes % sizeof(ulong));
    }

    [SkippableFact]
    public async Task An_echo_in_large_pieces_brings_back_every_byte()
    {
        await using var connection = await shared.Driver.ConnectFromKernelAsync(LiveDriver.Echo);
        var clock = Stopwatch.StartNew();
        await Transfer.EchoAsync(connection, LiveSize.Bulk, write: 1 << 20, read: 1 << 20);
        Report("echo", LiveSize.Bulk, clock);
    }

    [SkippableTheory]
    [InlineData(1, 1 << 10)]
    [InlineData(97, 1 << 20)]
    [InlineData(1460, 4 << 20)]
    public async Task An_echo_in_small_pieces_brings_back_every_byte(int piece, int bytes)
    {
        await using var connection = await shared.Driver.ConnectFromKernelAsync(LiveDriver.Echo);
        await Transfer.EchoAsync(connection, bytes, write: piece, read: piece + 3);
    }

    [SkippableFact]
    public async Task An_echo_to_a_reader_with_a_small_window_brings_back_every_byte()
    {
        await using var connection = await shared.Driver.ConnectFromKernelAsync(LiveDriver.Echo, receiveBuffer: 4096);
        await Transfer.EchoAsync(connection, 4 << 20, read: 1000);
    }

    [SkippableFact]
    public async Task A_megabyte_and_a_byte_echoed_to_a_peer_that_does_not_read_waits_for_it()
    {
        await using var connection = await shared.Driver.ConnectFromKernelAsync(LiveDriver.Echo, receiveBuffer: 4096);
        var sent = await Transfer.SendToEndAsync(connection, (1 << 20) + 1);
        await Task.Delay(500);
        Assert.Equal(sent, await Transfer.ReceiveToEndAsync(connection, sent.Bytes));
    }

    [SkippableFact]
    public async Task A_client_that_half_closes_gets_its_answer_to_the_end()
    {
        Skip.If(shared.Driver.Namespace.TryExec("nc", "-h").ExitCode == 127, "there is no 'nc' command");
        var text = string.Concat(Enumerable.Range(0, 1000).Select(i => $"line {i}\n"));
        using var nc = shared.Driver.Namespace.Start("nc", "-N", $"{shared.Driver.Own}", $"{LiveDriver.Echo}");
        var echoed = nc.StandardOutput.ReadToEndAsync();
        await nc.StandardInput.WriteAsync(text);
        nc.StandardInput.Close();
        Assert.Equal(text, await echoed.WaitAsync(TimeSpan.FromSeconds(30)));
        Assert.Equal(0, NetworkNamespace.ExitCodeOf(nc));
    }

    [SkippableFact]
    public async Task Two_hundred_connections_at_once_are_all_intact()
    {
        var each = LiveSize.Bulk / 200;
        var clock = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, 200).Select(async i =>
        {
            await using var connection = await shared.Driver.ConnectFromKernelAsync(LiveDriver.Echo);
            await Transfer.EchoAsync(connection, each + i, write: 16 << 10, read: 16 << 10, seed: i);
        })).WaitAsync(LiveSize.PatienceFor(LiveSize.Bulk));
        Report("echo over 200 connections", LiveSize.Bulk, clock);
    }

    [SkippableFact]
    public async Task Many_connections_one_after_the_other_leave_nothing_behind()
    {
        var driver = shared.Driver;
        await Transfer.EchoAsync(await driver.ConnectFromKernelAsync(LiveDriver.Echo), 1);
        var descriptors = driver.Program.Descriptors;
        for (var i = 0; i < 200; i++)
        {
            await using var connection = await driver.ConnectFromKernelAsync(LiveDriver.Echo);
            await Transfer.EchoAsync(connection, 1);
        }

        Assert.Equal(descriptors, driver.Program.Descriptors);
    }

    /// <summary>Reads 64-bit numbers, which must be 0, 1, 2, ...</summary>
    private static async Task ReadCounterAsync(NetworkStream from, long bytes)
    {
        var buffer = new byte[256 << 10];
        ulong next = 0;
        var kept = 0;
        while ((long)next * sizeof(ulong) < bytes)
        {
            var count = await from.ReadAsync(buffer.AsMemory(kept));
            Assert.NotEqual(0, count);
            kept = Check(buffer.AsSpan(0, kept + count), ref next);
        }
    }

    /// <summary>Compares whole numbers and moves what is left to the front.</summary>
    private static int Check(Span<byte> bytes, ref ulong next)
    {
        foreach (var number in MemoryMarshal.Cast<byte, ulong>(bytes))
        {
            if (number != next % 32768)
                Assert.Fail($"Number {next} is {number}.");
            next++;
        }

        var rest = bytes.Length % sizeof(ulong);
        bytes[^rest..].CopyTo(bytes);
        return rest;
    }

    private void Report(string what, long bytes, Stopwatch clock) =>
        output.WriteLine($"{what}: {bytes >> 20} MiB in {clock.Elapsed.TotalSeconds:0.00} s, {bytes * 8 / clock.Elapsed.TotalSeconds / 1e9:0.00} Gbit/s, "
            + $"driver has {shared.Driver.Program.ResidentBytes >> 20} MiB resident");
}

[Collection(LiveCollection.Name)]
public sealed class BulkSpec(SharedDriver shared, ITestOutputHelper output) : BulkSpecs(shared, output), IClassFixture<SharedDriver>;

/// <summary>The same over IPv6.</summary>
[Collection(LiveCollection.Name)]
public sealed class BulkOverIpv6Spec(SharedDriverV6 shared, ITestOutputHelper output) : BulkSpecs(shared, output), IClassFixture<SharedDriverV6>;
