using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Tapwire.Host;
using Tapwire.Tests.Wires;
using Xunit;

namespace Tapwire.Tests.Host;

/// <summary>What a service manager hears; the spec's own datagram socket plays it.</summary>
[Collection(HostCollection.Name)]
public sealed class ServiceManagerSpecs : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("tapwire-notify-");
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { ReceiveTimeout = 30_000 };
    private readonly ManualTime _time = new();

    public void Dispose()
    {
        foreach (var variable in (string[])["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"])
            Environment.SetEnvironmentVariable(variable, null);
        _socket.Dispose();
        _directory.Delete(recursive: true);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void It_is_told_by_a_path_or_an_abstract_name(bool isAbstract)
    {
        Listen(isAbstract ? $"@{_directory.FullName}" : Path.Combine(_directory.FullName, "notify"));
        var manager = ServiceManager.Take(_time);
        _time.Advance(TimeSpan.FromMilliseconds(7));
        manager.Ready("10.99.0.2/24 on tap:tw0");
        manager.Reloading();
        manager.Stopping();
        Assert.Equal("READY=1\nSTATUS=10.99.0.2/24 on tap:tw0", Hear());
        Assert.Equal("RELOADING=1\nMONOTONIC_USEC=7000\nSTATUS=reading its settings again", Hear());
        Assert.Equal("STOPPING=1\nSTATUS=stopping in order", Hear());
    }

    [Fact]
    public void What_the_environment_said_of_it_is_not_there_for_programs_that_are_started()
    {
        Listen(Path.Combine(_directory.FullName, "notify"));
        Environment.SetEnvironmentVariable("WATCHDOG_USEC", "1000");
        Environment.SetEnvironmentVariable("WATCHDOG_PID", Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        Assert.Equal(TimeSpan.FromMilliseconds(1), ServiceManager.Take().WatchdogTimeout);
        Assert.All(["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"], variable => Assert.Null(Environment.GetEnvironmentVariable(variable)));
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData("0", null)]
    [InlineData("soon", null)]
    [InlineData("1000", "1")]
    public void Nobody_waits_for_a_process_that_is_not_meant(string? timeout, string? process)
    {
        Environment.SetEnvironmentVariable("WATCHDOG_USEC", timeout);
        Environment.SetEnvironmentVariable("WATCHDOG_PID", process);
        Assert.Null(ServiceManager.Take().WatchdogTimeout);
    }

    [Fact]
    public async Task It_hears_twice_in_its_time_of_a_service_that_is_well_and_nothing_of_one_that_is_not()
    {
        Listen(Path.Combine(_directory.FullName, "notify"));
        Environment.SetEnvironmentVariable("WATCHDOG_USEC", "10000000");
        var manager = ServiceManager.Take(_time);
        using var ending = new CancellationTokenSource();
        var isWell = true;
        var keeping = manager.KeepAliveAsync(_ => Task.FromResult(isWell), ending.Token);
        Assert.Equal("WATCHDOG=1", Hear());
        _time.Advance(TimeSpan.FromSeconds(4.9));
        Assert.Equal(0, _socket.Available);
        _time.Advance(TimeSpan.FromSeconds(0.1));
        Assert.Equal("WATCHDOG=1", Hear());
        isWell = false;
        _time.Advance(TimeSpan.FromSeconds(20));
        Assert.Equal(0, _socket.Available);
        await ending.CancelAsync();
        await keeping;
    }

    [Fact]
    public void One_that_does_not_listen_is_no_reason_to_fail()
    {
        Environment.SetEnvironmentVariable("NOTIFY_SOCKET", Path.Combine(_directory.FullName, "nobody"));
        ServiceManager.Take().Ready("up");
    }

    private void Listen(string name)
    {
        _socket.Bind(new UnixDomainSocketEndPoint(name[0] == '@' ? "\0" + name[1..] : name));
        Environment.SetEnvironmentVariable("NOTIFY_SOCKET", name);
    }

    private string Hear()
    {
        var buffer = new byte[4096];
        return Encoding.UTF8.GetString(buffer, 0, _socket.Receive(buffer));
    }
}
