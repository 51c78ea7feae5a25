using System.Text;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Programs;

/// <summary>The request to serve a namespace: what no host can have, and what is no such device, is refused with the reason, and its descriptor closed.</summary>
[Collection(LiveProgramsCollection.Name)]
public sealed class GuestRequestSpec
{
    private const string Answers = """
        0.0.0.0: EINVAL A guest cannot have this address: 0.0.0.0 stands for no address; take one of a host.
        0.1.2.3: EINVAL A guest cannot have this address: 0.1.2.3 is in a reserved network; take one of a host.
        127.0.0.1: EINVAL A guest cannot have this address: 127.0.0.1 is a loopback address, which never leaves a host; take another.
        224.0.0.1: EINVAL A guest cannot have this address: 224.0.0.1 is a multicast address, which is a group's; take one of a host.
        239.1.1.1: EINVAL A guest cannot have this address: 239.1.1.1 is a multicast address, which is a group's; take one of a host.
        240.0.0.1: EINVAL A guest cannot have this address: 240.0.0.1 is in a reserved network; take one of a host.
        255.255.255.255: EINVAL A guest cannot have this address: 255.255.255.255 is the broadcast address, which is everybody's; take one of a host.
        192.0.0.8: EADDRINUSE A guest cannot have the address 192.0.0.8, which is the driver's own end of its device.
        10.99.0.9: EADDRINUSE A guest cannot have the address 10.99.0.9, which is a gateway of the driver's.
        ::: EINVAL A guest cannot have this address: :: stands for no address; take one of a host.
        ::1: EINVAL A guest cannot have this address: ::1 is a loopback address, which never leaves a host; take another.
        ff02::1: EINVAL A guest cannot have this address: ff02::1 is a multicast address, which is a group's; take one of a host.
        fe80::1: EINVAL A guest cannot have this address: fe80::1 is a link-local address, which leads nowhere beyond its link; take another.
        100::8: EADDRINUSE A guest cannot have the address 100::8, which is the driver's own end of its device.
        both, fe80::1: EINVAL A guest cannot have this address: fe80::1 is a link-local address, which leads nowhere beyond its link; take another.
        both, MTU 1279: EINVAL The MTU of the device of a guest with IPv6 is at least 1280, not 1279.
        both, none first: EAFNOSUPPORT Of the addresses of a guest of both families the first is an IPv4 address, and the second an IPv6 address.
        both, no descriptor: EINVAL No descriptor has come with the request; a guest needs a TUN device.
        family 0: EINVAL A guest cannot have this address: :: stands for no address; take one of a host.
        family 10: EINVAL A guest cannot have this address: :: stands for no address; take one of a host.
        family 99: EAFNOSUPPORT The address has an unknown family; it is AF_INET or AF_INET6.
        MTU 0: EINVAL The MTU of a guest's device is 68 to 65535, not 0.
        MTU 67: EINVAL The MTU of a guest's device is 68 to 65535, not 67.
        MTU 65536: EINVAL The MTU of a guest's device is 68 to 65535, not 65536.
        MTU 4294967295: EINVAL The MTU of a guest's device is 68 to 65535, not 2147483647.
        nothing: EINVAL No descriptor has come with the request; a guest needs a TUN device.
        /dev/null: EINVAL The descriptor is no TUN device.
        unattached: EINVAL The TUN device is not attached to an interface (TUNSETIFF).
        TAP: EINVAL guest3 is a TAP device; a TUN device is needed.
        no header: EINVAL The TUN device guest4 has no virtio header; attach it with IFF_VNET_HDR.
        queues: EINVAL The TUN device guest5 has several queues; attach it without IFF_MULTI_QUEUE.
        read only: EINVAL The TUN device guest6 is not open for reading and writing.
        first: 0 
        twice in a session: EBUSY The TUN device is a guest's already.
        twice in two sessions: EBUSY The TUN device is a guest's already.
        another device: 0 
        both: 0 
        when the first has ended: 0 
        behind others: 0 
        done

        """;

    [SkippableFact]
    public async Task What_cannot_be_a_guest_is_refused_with_the_reason_and_nothing_of_it_is_kept()
    {
        using var driver = LiveDriver.Start("", $"tap:{LiveDriver.Device}", "--gateway", "10.99.0.9");
        Skip.If(driver.Namespace.TryExec("python3", "--version").ExitCode != 0, "there is no python3");
        _ = await driver.StatusAsync();
        var before = driver.Program.Descriptors;
        using var client = driver.Namespace.Start("python3", "-u", ProgramPath.SourceOf("guest_requests.py"), driver.LinkPath);
        var said = new StringBuilder();
        // It keeps its devices until it is told to end, so that only the driver can have closed the driver's.
        while (await client.StandardOutput.ReadLineAsync() is { } line)
        {
            said.Append(line).Append('\n');
            if (line == "done")
                break;
        }

        if (!client.HasExited)
            await driver.DescriptorsAreBackAtAsync(before);
        client.StandardInput.Close();
        Assert.Equal(Answers, said + await client.StandardError.ReadToEndAsync());
        Assert.Equal(0, driver.Program.Stop().ExitCode);
    }
}
