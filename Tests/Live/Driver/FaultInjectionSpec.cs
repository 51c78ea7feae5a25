using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>
/// System calls of a running driver fail as the kernel lets them fail, time and again, in the middle of transfers. strace makes them fail without making them: nothing has
/// been read, or written, as the error says.
/// </summary>
[Collection(LiveCollection.Name)]
public sealed class FaultInjectionSpec(HonestTraffic traffic) : IClassFixture<HonestTraffic>
{
    private const string TunDevice = "/dev/net/tun";

    [SkippableTheory]
    [InlineData("read,write,writev", "EINTR", "3+5")]
    [InlineData("readv,recvfrom,recvmsg", "EINTR", "1+3")]
    [InlineData("sendmsg,sendto", "EINTR", "1+3")]
    [InlineData("epoll_wait,poll,ppoll", "EINTR", "2+2")]
    [InlineData("accept4,connect,ioctl", "EINTR", "1+2")]
    public Task Signals_end_calls(string calls, string error, string when) => NothingIsLostAsync(calls, error, when);

    /// <summary>A report of readiness may be wrong (epoll_wait(2)); where it was not, the bytes that are there must not wait for the next ones.</summary>
    [SkippableTheory]
    [InlineData("readv", "EAGAIN", "1+3")]
    [InlineData("recvfrom", "EAGAIN", "1+3")]
    [InlineData("recvmsg", "EAGAIN", "1+3")]
    [InlineData("accept4", "EAGAIN", "1+2")]
    public Task There_is_nothing_where_something_was_said_to_be(string calls, string error, string when) => NothingIsLostAsync(calls, error, when);

    /// <summary>What is lost with it TCP repairs.</summary>
    [SkippableTheory]
    [InlineData("write,writev", "ENOBUFS", "20+20")]
    [InlineData("write,writev", "ENOMEM", "20+20")]
    [InlineData("write,writev", "EIO", "20+20")]
    public async Task A_frame_that_the_device_refuses_is_counted(string calls, string error, string when)
    {
        var before = await RefusedAsync();
        var injected = await NothingIsLostAsync(calls, error, when, TunDevice);
        Assert.Equal(before + injected, await RefusedAsync());
    }

    [SkippableTheory]
    [InlineData("read", "EAGAIN", "2+5")]
    [InlineData("write,writev", "EAGAIN", "2+5")]
    public Task The_device_is_out_of_turn(string calls, string error, string when) => NothingIsLostAsync(calls, error, when, TunDevice);

    /// <summary>The kernel says so of an interface that is being removed, and removes it with its last descriptor.</summary>
    [SkippableTheory]
    [InlineData("EIO")]
    [InlineData("EBADFD")]
    public async Task A_device_that_cannot_be_read_is_opened_again(string error)
    {
        var driver = traffic.Driver;
        var before = driver.Namespace.Ip("-o link show dev tw0").Split(':')[0];
        using (var faults = await InjectedFaults.StartAsync(driver.Namespace, driver.Program.Pid, InjectedFaults.Arguments("read", error, "1", TunDevice)))
        {
            driver.Namespace.TryExec("ping", "-c", "1", "-W", "1", LiveDriver.Address);
            await LiveDriver.EventuallyAsync(() => Task.FromResult(
                driver.Namespace.TryExec("ip", "-o", "link", "show", "dev", LiveDriver.Device) is { ExitCode: 0 } now && now.Output.Split(':')[0] != before),
                () => "The device has not been opened again.");
            Assert.NotEqual(0, faults.Stop());
        }

        driver.Namespace.Ip($"addr add {LiveDriver.KernelAddress}/24 dev {LiveDriver.Device}");
        await traffic.RunAsync();
        traffic.AssertAnswers();
    }

    [SkippableTheory]
    [InlineData("sendmsg", "ENOBUFS", "1+3")]
    [InlineData("sendmsg", "ENOMEM", "1+3")]
    [InlineData("readv,recvfrom,recvmsg", "ENOBUFS", "1+3")]
    [InlineData("readv,recvfrom,recvmsg", "ENOMEM", "1+3")]
    [InlineData("accept4", "ENOMEM", "1+2")]
    [InlineData("accept4", "ENOBUFS", "1+2")]
    [InlineData("accept4", "ECONNABORTED", "1+2")]
    [InlineData("accept4", "EPROTO", "1+2")]
    public Task The_kernel_is_short_of_memory(string calls, string error, string when) => NothingIsLostAsync(calls, error, when);

    /// <summary>What cannot be had is refused; when it can be had again all is as it was.</summary>
    [SkippableTheory]
    [InlineData("socketpair", "EMFILE", "1+2")]
    [InlineData("socketpair", "ENFILE", "1+2")]
    [InlineData("socketpair", "ENOMEM", "1+2")]
    [InlineData("socketpair,socket", "ENOBUFS", "1+1")]
    [InlineData("sendto", "ENOBUFS", "1+2")]
    [InlineData("sendto", "ENOMEM", "1+2")]
    [InlineData("accept4", "EMFILE", "1+2")]
    [InlineData("accept4", "ENFILE", "1+3")]
    [InlineData("readv,recvfrom", "ECONNRESET", "5+9")]
    [InlineData("sendmsg", "ECONNRESET", "5+9")]
    [InlineData("sendmsg", "EPIPE", "5+9")]
    public async Task What_is_refused_ends_soon_and_all_works_afterwards(string calls, string error, string when)
    {
        using (var faults = await InjectedFaults.StartAsync(traffic.Driver.Namespace, traffic.Driver.Program.Pid, InjectedFaults.Arguments(calls, error, when)))
        {
            await traffic.TryAsync();
            Assert.NotEqual(0, faults.Stop());
        }

        await traffic.RunAsync();
        traffic.AssertAnswers();
    }

    /// <summary>The same for the program's own calls: what becomes of it is what becomes of it on the kernel's sockets.</summary>
    [SkippableTheory]
    [InlineData("sendto,recvfrom,sendmsg,recvmsg,poll,ppoll", "EINTR", "1+3", "")]
    [InlineData("recvfrom", "EAGAIN", "2+3", "")]
    [InlineData("sendto", "ENOBUFS", "1", "[Errno 105]")]
    [InlineData("sendto", "ENOMEM", "1", "[Errno 12]")]
    [InlineData("sendto", "ENOBUFS", "2", "[Errno 105]")]
    [InlineData("sendto", "ENOMEM", "2", "[Errno 12]")]
    [InlineData("socket", "EMFILE", "1", "[Errno 24]")]
    [InlineData("socket", "ENFILE", "1", "[Errno 23]")]
    [InlineData("socket", "ENOBUFS", "1", "[Errno 105]")]
    [InlineData("socket", "ENOMEM", "1", "[Errno 12]")]
    public void A_programs_calls_fail_as_on_the_kernels_sockets(string calls, string error, string when, string said)
    {
        Skip.IfNot(traffic.HasProgram, "there is no C compiler to build libtapwire.so, or no python3");
        var faults = InjectedFaults.Arguments(calls, error, when);
        Run(traffic.ProgramOnKernel);
        Run(traffic.ProgramOnTapwire);
        traffic.AssertAnswers();

        void Run(string[] program)
        {
            InjectedFaults.Need(traffic.Driver.Namespace);
            var log = Path.GetTempFileName();
            // Without HOME, Python asks the name service for the user's directory: that would be the first socket.
            var ended = traffic.Driver.Namespace.TryExec("strace", ["-f", "--seccomp-bpf", "-qq", "-o", log, .. faults, "env", "HOME=/", .. program]);
            var injected = InjectedFaults.CountIn(log);
            File.Delete(log);
            Assert.Equal((said.Length == 0 ? 0 : 1, said.Length == 0 ? "intact\n" : ""), (ended.ExitCode, ended.Output));
            Assert.Contains(said, ended.Error, StringComparison.Ordinal);
            Assert.NotEqual(0, injected);
        }
    }

    /// <summary>From its first call on.</summary>
    [SkippableFact]
    public async Task A_driver_starts_and_stops_while_signals_come()
    {
        InjectedFaults.Need(traffic.Driver.Namespace);
        var log = Path.GetTempFileName();
        const string Calls = "ioctl,flock,accept4,connect,sendmsg,sendto,recvmsg,recvfrom,readv,writev,write,poll,ppoll,epoll_wait";
        using (var started = HonestTraffic.StartBy(["strace", "-D", "-f", "--seccomp-bpf", "-qq", "-o", log, .. InjectedFaults.Arguments(Calls, "EINTR", "1+3")]))
            await started.RunAsync();
        Assert.NotEqual(0, InjectedFaults.CountIn(log));
        File.Delete(log);
    }

    private async Task<long> RefusedAsync() =>
        (await traffic.Driver.StatusAsync()).GetProperty("wire").GetProperty("framesRefused").GetInt64();

    /// <returns>How many calls have failed.</returns>
    private async Task<int> NothingIsLostAsync(string calls, string error, string when, string path = "")
    {
        using var faults = await InjectedFaults.StartAsync(traffic.Driver.Namespace, traffic.Driver.Program.Pid, InjectedFaults.Arguments(calls, error, when, path));
        await traffic.RunAsync();
        traffic.AssertAnswers();
        var injected = faults.Stop();
        Assert.NotEqual(0, injected);
        return injected;
    }
}
