using System.Net.Sockets;
using System.Runtime.InteropServices;
using Tapwire.Links.Client;
using Tapwire.Stack.Ip;
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
    Task ServeAsync(SafeHandle device, IpAddress address, int mtu);

    /// <summary>Completes when the driver has ended, or stops.</summary>
    Task Ended { get; }
}

/// <summary>A driver in another process.</summary>
internal sealed class LinkGateway(TapwireClient client, string path) : IGateway
{
    public Task Ended => client.Ended;

    public Task<string> StatusAsync() => LinkOption.AskAsync(client.GetStatusAsync, path, LinkOption.Patience, CancellationToken.None);

    public async Task ServeAsync(SafeHandle device, IpAddress address, int mtu)
    {
        try
        {
            await LinkOption.AskAsync(async cancel =>
            {
                await client.AddGuestAsync(device, address.ToSystem(), mtu, cancel);
                return true;
            }, path, LinkOption.Patience, CancellationToken.None);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.OperationNotSupported)
        {
            throw new CommandFailedException($"The driver at '{path}' is of an earlier version, which does not know --netns: start it again with this one.", e);
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

    public Task ServeAsync(SafeHandle device, IpAddress address, int mtu)
    {
        try
        {
            return driver.AddGuestAsync(TapWire.Adopt(Libc.Duplicate((int)device.DangerousGetHandle()), $"guest-{address}", mtu, TapWire.GuestOffloads), address);
        }
        catch (WireException e)
        {
            throw new CommandFailedException(e.Message, e);
        }
    }
}
