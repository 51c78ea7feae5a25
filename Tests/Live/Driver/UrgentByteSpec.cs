using System.Net.Sockets;
using System.Text;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>A kernel socket that sends urgent bytes (MSG_OOB) to the driver's own services.</summary>
public abstract class UrgentByteSpecs(SharedDriver shared)
{
    [SkippableFact]
    public async Task A_kernels_urgent_bytes_stay_in_line()
    {
        await using var connection = await shared.Driver.ConnectFromKernelAsync(LiveDriver.Echo);
        var socket = connection.Socket;
        var expected = new StringBuilder();
        for (var i = 0; i < 25; i++)
        {
            socket.Send(Encoding.ASCII.GetBytes($"{i} "));
            socket.Send("!"u8, SocketFlags.OutOfBand);
            expected.Append(i).Append(" !");
        }

        socket.Shutdown(SocketShutdown.Send);
        using var reader = new StreamReader(connection, Encoding.ASCII);
        Assert.Equal(expected.ToString(), await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromMinutes(2)));
    }
}

[Collection(LiveCollection.Name)]
public sealed class UrgentByteSpec(SharedDriver shared) : UrgentByteSpecs(shared), IClassFixture<SharedDriver>;

/// <summary>The same over IPv6.</summary>
[Collection(LiveCollection.Name)]
public sealed class UrgentByteOverIpv6Spec(SharedDriverV6 shared) : UrgentByteSpecs(shared), IClassFixture<SharedDriverV6>;
