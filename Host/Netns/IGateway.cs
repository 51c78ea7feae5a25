using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tapwire.Actors.Settings;
using Tapwire.Links.Client;
using Tapwire.Stack.Forwarding;
using Tapwire.Posix;
using Tapwire.Wires;
using LinkOption = Tapwire.Host.Commands.LinkOption;
using StatusJson = Tapwire.Links.Protocol.StatusJson;

namespace Tapwire.Host.Netns;

/// <summary>A driver as the way out of a network namespace.</summary>
internal interface IGateway
{
    /// <summary>The driver's status as JSON.</summary>
    /// <exception cref="CommandFailedException">The driver does not answer.</exception>
    Task<string> StatusAsync();

    /// <summary>Has the driver serve the namespace.</summary>
    /// <param name="device">A TUN device of the namespace; stays the caller's.</param>
    /// <exception cref="CommandFailedException">The driver refuses.</exception>
    Task ServeAsync(SafeHandle device, GuestAddresses addresses, int mtu);

    /// <summary>Has a port of the driver's lead to the namespace, after <see cref="ServeAsync"/>.</summary>
    /// <exception cref="CommandFailedException">The driver refuses.</exception>
    Task PublishAsync(PublishSpec spec);

    /// <summary>Completes when the driver has ended, or stops.</summary>
    Task Ended { get; }
}

/// <summary>A driver in another process.</summary>
internal sealed class LinkGateway(TapwireClient client, string path) : IGateway
{
    public Task Ended => client.Ended;

    public Task<string> StatusAsync() => LinkOption.AskAsync(client.GetStatusAsync, path, LinkOption.Patience, CancellationToken.None);

    public Task ServeAsync(SafeHandle device, GuestAddresses addresses, int mtu) => addresses is { V4: { } v4, V6: { } v6 }
        ? AskAsync(cancel => client.AddGuestAsync(device, v4.ToSystem(), v6.ToSystem(), mtu, cancel), "--netns with IPv6")
        : AskAsync(cancel => client.AddGuestAsync(device, addresses.All[0].ToSystem(), mtu, cancel), "--netns");

    public Task PublishAsync(PublishSpec spec) => AskAsync(
        cancel => client.PublishAsync(new IPEndPoint(spec.Listen.Address.ToSystem(), spec.Listen.Port), spec.Transport == Transport.Tcp ? ProtocolType.Tcp : ProtocolType.Udp, spec.Port, cancel), "--publish");

    /// <param name="flag">What the user has asked for.</param>
    private async Task AskAsync(Func<CancellationToken, Task> question, string flag)
    {
        try
        {
            await LinkOption.AskAsync(async cancel =>
            {
                await question(cancel);
                return true;
            }, path, LinkOption.Patience, CancellationToken.None);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.OperationNotSupported)
        {
            throw new CommandFailedException($"The driver at '{path}' is of an earlier version, which does not know {flag}: start it again with this one.", e);
        }
        catch (SocketException e)
        {
            throw new CommandFailedException(e.Message, e);
        }
    }
}

/// <summary>The driver in this process.</summary>
internal sealed class DriverGateway(RunningDriver driver) : IGateway
{
    public Task Ended => driver.Ended;

    public async Task<string> StatusAsync() => StatusJson.Write(await driver.StatusAsync());

    public Task PublishAsync(PublishSpec spec) => driver.PublishAsync(spec);

    public Task ServeAsync(SafeHandle device, GuestAddresses addresses, int mtu)
    {
        try
        {
            return driver.AddGuestAsync(TapWire.Adopt(Libc.Duplicate((int)device.DangerousGetHandle()), $"guest-{addresses.All[0]}", mtu, TapWire.GuestOffloads), addresses);
        }
        catch (WireException e)
        {
            throw new CommandFailedException(e.Message, e);
        }
    }
}
