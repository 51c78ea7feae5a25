using System.Buffers.Binary;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Microsoft.Win32.SafeHandles;
using Tapwire.Actors.Settings;
using Tapwire.Host.Commands;
using Tapwire.Posix;
using Tapwire.Stack.Ip;

namespace Tapwire.Host.Netns;

/// <summary>
/// <c>tapwire run --netns</c>: a program in a user and network namespace of its own. A small helper makes the namespace, because this process has several threads; it passes a TUN
/// device here, waits until a driver serves it, and becomes the program (Links/Netns/netns.c).
/// </summary>
internal static class NetnsRun
{
    public const string HelperName = "tapwire-netns";

    /// <summary>Name servers in the namespace.</summary>
    public static readonly Flag<IReadOnlyList<IpAddress>> Dns = Flags.List<IpAddress>("--dns",
        "With --netns: a name server for the program, reached through Tapwire; repeatable. This machine's own, as far as the driver has a route to them, when not given.", "IP",
        TryParseServer, OwnAddress.AcceptedGateway);

    /// <summary>Ports of the driver's that lead to the program.</summary>
    public static readonly Flag<IReadOnlyList<PublishSpec>> Publish = Flags.List<PublishSpec>("--publish",
        "With --netns: a TCP or UDP port of Tapwire's address that leads to a port of the program's, the same one where one is given; repeatable.", "PORT",
        PublishSpec.TryParse, PublishSpec.Accepted);

    private static bool TryParseServer(string text, out IpAddress server, [NotNullWhen(false)] out string? problem)
    {
        if (OwnAddress.TryParseGateway(text, out server, out problem) && server.IsLinkLocal)
            problem = $"{server} is a link-local address, which leads nowhere from a namespace; take another of the server's";
        return problem is null;
    }

    /// <summary>Runs the program to its end.</summary>
    /// <param name="file">The file from <see cref="ProgramFile.Find"/>.</param>
    /// <param name="dns">Name servers that the user has named.</param>
    /// <param name="others">Where he has named none, those of the driver's wires; empty: this machine's.</param>
    /// <param name="started">Told of the process once it is the program.</param>
    /// <returns>The program's exit code.</returns>
    /// <exception cref="CommandFailedException">The program was not run.</exception>
    public static async Task<int> RunAsync(IGateway gateway, string file, string[] program, IReadOnlyList<IpAddress> dns, IReadOnlyList<IpAddress> others,
        IReadOnlyList<PublishSpec> publish, Action<Process> started)
    {
        var network = NamespaceNetwork.Of(await gateway.StatusAsync(), dns, others);
        if (network.NameServers.Count == 0)
            Complaint.Write("No name server of this machine is reachable through the driver, so that the program finds no names; name one with --dns.");
        using var helper = Helper();
        var (own, other) = Pair();
        using var socket = own;
        Process child;
        using (other)
        {
            var servers = network.NameServers.Count == 0 ? "-" : string.Join(',', network.NameServers);
            string[] arguments = [HelperName, Text(other.DangerousGetHandle()), string.Join(',', network.Addresses), Text(network.Mtu), servers, Path.GetFullPath(file), .. program];
            child = ProgramStart.Start(string.Create(CultureInfo.InvariantCulture, $"/proc/{Environment.ProcessId}/fd/{helper.DangerousGetHandle()}"), arguments,
                new Dictionary<string, string>());
        }

        using var running = child;
        using var device = await Task.Run(() => ReceiveDescriptor(socket));
        // When its last copy is closed, by whatever ends this process, the namespace's guard ends the connections.
        using var tie = await Task.Run(() => ReceiveDescriptor(socket));
        // The helper has said why.
        if (device is null || tie is null)
            return await EndOfAsync(child);
        await gateway.ServeAsync(device, network.Guest, network.Mtu);
        // Only the driver has it now, so that it goes when the driver does.
        device.Dispose();
        foreach (var port in publish)
            await gateway.PublishAsync(port);

        if (await Task.Run(() => Begin(socket)) is not 0 and var errno)
        {
            await child.WaitForExitAsync();
            throw ProgramFile.NotRun(program[0], errno);
        }

        started(child);
        var end = EndOfAsync(child);
        if (await Task.WhenAny(end, gateway.Ended) != end)
        {
            tie.Dispose();
            Complaint.Write($"The driver has ended: \"{program[0]}\" has no network any more, and its connections are aborted.");
        }

        return await end;
    }

    private static async Task<int> EndOfAsync(Process child)
    {
        await child.WaitForExitAsync();
        return child.ExitCode;
    }

    /// <summary>The helper as a file in memory, which no directory has to have room for.</summary>
    private static SafeFileHandle Helper()
    {
        var bytes = OwnFile.Within(HelperName)
            ?? throw new CommandFailedException("--netns needs tapwire-netns, which is built with the project where a C compiler is. Install one (gcc or clang) and build again.");
        var helper = new SafeFileHandle(Errors.Check(Libc.memfd_create(HelperName, Libc.MFD_CLOEXEC), "memfd_create"), ownsHandle: true);
        RandomAccess.Write(helper, bytes, 0);
        return helper;
    }

    /// <summary>Both ends block; the child inherits the second.</summary>
    private static unsafe (SafeFileHandle Own, SafeFileHandle Other) Pair()
    {
        var descriptors = stackalloc int[2];
        Errors.Check(Libc.socketpair(Libc.AF_UNIX, Libc.SOCK_STREAM, 0, descriptors), "socketpair");
        Errors.Check(Libc.fcntl(descriptors[0], Libc.F_SETFD, Libc.FD_CLOEXEC), "fcntl");
        return (new SafeFileHandle(descriptors[0], ownsHandle: true), new SafeFileHandle(descriptors[1], ownsHandle: true));
    }

    /// <summary>Null: the helper has ended instead.</summary>
    private static unsafe SafeFileHandle? ReceiveDescriptor(SafeFileHandle socket)
    {
        byte taken;
        _ = Libc.ReceiveDescriptor((int)socket.DangerousGetHandle(), &taken, 1, 0, out var passed);
        return passed >= 0 ? new SafeFileHandle(passed, ownsHandle: true) : null;
    }

    /// <summary>Lets the helper become the program.</summary>
    /// <returns>0, or the errno of execve.</returns>
    private static unsafe int Begin(SafeFileHandle socket)
    {
        var descriptor = (int)socket.DangerousGetHandle();
        byte go = 0;
        _ = Libc.write(descriptor, &go, 1);
        Span<byte> errno = stackalloc byte[sizeof(int)];
        fixed (byte* start = errno)
            return Libc.recv(descriptor, start, sizeof(int), 0) == sizeof(int) ? BinaryPrimitives.ReadInt32LittleEndian(errno) : 0;
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
