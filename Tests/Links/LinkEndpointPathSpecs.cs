using Tapwire.Links;
using Xunit;

namespace Tapwire.Tests.Links;

public sealed class LinkEndpointPathSpecs
{
    private const ulong Other = 4_026_532_345;

    [Fact]
    public void Roots_driver_is_the_systems() =>
        Assert.Equal("/run/tapwire/link.sock", LinkEndpointPath.Choose(Root));

    [Fact]
    public void Roots_driver_is_the_systems_whatever_runtime_directory_sudo_has_left() =>
        Assert.Equal("/run/tapwire/link.sock", LinkEndpointPath.Choose(Root with { RuntimeDirectory = "/run/user/1000", RuntimeDirectoryOwner = 1000, UserDirectoryOwner = 0 }));

    [Fact]
    public void Root_without_a_run_directory_has_one_below_tmp() =>
        Assert.Equal("/tmp/tapwire-0/link.sock", LinkEndpointPath.Choose(Root with { RunOwner = null }));

    [Fact]
    public void Root_of_a_container_with_ids_of_its_own_has_the_containers_run_directory() =>
        Assert.Equal("/run/tapwire/link.sock", LinkEndpointPath.Choose(Root with { RealUser = 100_000, UserNamespace = Other }));

    [Fact]
    public void Root_of_a_users_own_container_has_the_containers_run_directory() =>
        Assert.Equal("/run/tapwire/link.sock", LinkEndpointPath.Choose(Root with { RealUser = 1000, UserNamespace = Other }));

    [Fact]
    public void An_ordinary_user_has_his_runtime_directory() =>
        Assert.Equal("/run/user/1000/tapwire.sock", LinkEndpointPath.Choose(User with { RuntimeDirectory = "/run/user/1000", RuntimeDirectoryOwner = 1000, UserDirectoryOwner = 1000 }));

    [Fact]
    public void A_runtime_directory_may_be_anywhere() =>
        Assert.Equal("/home/a/run/tapwire.sock", LinkEndpointPath.Choose(User with { RuntimeDirectory = "/home/a/run", RuntimeDirectoryOwner = 1000, UserDirectoryOwner = 1000 }));

    [Theory]
    [InlineData(null, null)]
    [InlineData("", null)]
    [InlineData("relative", 1000u)]
    [InlineData("/not/there", null)]
    [InlineData("/run/user/0", 0u)]
    public void A_runtime_directory_that_is_not_his_does_not_count(string? directory, uint? owner)
    {
        var environment = User with { RuntimeDirectory = directory, RuntimeDirectoryOwner = owner };
        Assert.Equal("/tmp/tapwire-1000/link.sock", LinkEndpointPath.Choose(environment));
        Assert.Equal("/run/user/1000/tapwire.sock", LinkEndpointPath.Choose(environment with { UserDirectoryOwner = 1000 }));
        Assert.Equal("/tmp/tapwire-1000/link.sock", LinkEndpointPath.Choose(environment with { UserDirectoryOwner = 1001 }));
    }

    [Fact]
    public void In_a_user_namespace_the_user_outside_is_meant_and_the_namespace_told()
    {
        var environment = new LinkEnvironment { EffectiveUser = 0, RealUser = 1000, UserNamespace = Other, RunOwner = 65_534 };
        Assert.Equal($"/tmp/tapwire-1000-{Other}/link.sock", LinkEndpointPath.Choose(environment));
        // The directory of the user outside shows as root's there.
        Assert.Equal("/run/user/1000/tapwire.sock", LinkEndpointPath.Choose(environment with { UserDirectoryOwner = 0 }));
        Assert.Equal("/run/user/1000/tapwire.sock", LinkEndpointPath.Choose(environment with { RuntimeDirectory = "/run/user/1000", RuntimeDirectoryOwner = 0 }));
    }

    [Fact]
    public void In_roots_own_user_namespace_the_run_directory_is_the_outsides() =>
        Assert.Equal($"/tmp/tapwire-0-{Other}/link.sock", LinkEndpointPath.Choose(Root with { UserNamespace = Other }));

    [Fact]
    public void Users_of_one_namespace_and_namespaces_of_one_user_do_not_meet()
    {
        LinkEnvironment[] all =
        [
            Root, Root with { UserNamespace = Other }, User, User with { RealUser = 1001, EffectiveUser = 1001 },
            new() { EffectiveUser = 0, RealUser = 1000, UserNamespace = Other, RunOwner = 65_534 },
            new() { EffectiveUser = 0, RealUser = 1000, UserNamespace = Other + 1, RunOwner = 65_534 },
            new() { EffectiveUser = 0, RealUser = 1001, UserNamespace = Other, RunOwner = 65_534 },
        ];
        Assert.Distinct(all.Select(LinkEndpointPath.Choose));
    }

    [Theory]
    [InlineData(0u, "         0          0 4294967295\n", 0u)]
    [InlineData(1000u, "         0          0 4294967295\n", 1000u)]
    [InlineData(0u, "         0       1000          1\n", 1000u)]
    [InlineData(0u, "0 1000 1\n1 100000 65536\n", 1000u)]
    [InlineData(33u, "0 1000 1\n1 100000 65536\n", 100_032u)]
    [InlineData(65_536u, "0 1000 1\n1 100000 65536\n", 165_535u)]
    [InlineData(65_537u, "0 1000 1\n1 100000 65536\n", 65_537u)]
    [InlineData(65_534u, "0 1000 1\n", 65_534u)]
    [InlineData(7u, "", 7u)]
    [InlineData(7u, "rubbish\n7 x 1\n7 8\n", 7u)]
    public void The_real_user_is_what_the_map_makes_of_him(uint user, string map, uint real) =>
        Assert.Equal(real, LinkEnvironment.RealUserOf(user, map));

    [Theory]
    [InlineData("user:[4026531837]", LinkEnvironment.InitialNamespace)]
    [InlineData("user:[4026532345]", Other)]
    [InlineData(null, LinkEnvironment.InitialNamespace)]
    [InlineData("", LinkEnvironment.InitialNamespace)]
    [InlineData("user:[]", LinkEnvironment.InitialNamespace)]
    [InlineData("user:[", LinkEnvironment.InitialNamespace)]
    [InlineData("net:[4026531833]", LinkEnvironment.InitialNamespace)]
    public void The_namespace_is_its_inode(string? link, ulong inode) => Assert.Equal(inode, LinkEnvironment.NamespaceOf(link));

    [Theory]
    [InlineData("/run/user/1000/tapwire.sock", "/run/user/1000/tapwire.sock", "/run/user/1000/tapwire.sock")]
    [InlineData("/run/user/1000/tapwire.sock", "/run/tapwire/link.sock", "/run/tapwire/link.sock")]
    [InlineData("/run/user/1000/tapwire.sock", "both", "/run/user/1000/tapwire.sock")]
    [InlineData("/run/user/1000/tapwire.sock", "none", "/run/user/1000/tapwire.sock")]
    [InlineData("/run/tapwire/link.sock", "none", "/run/tapwire/link.sock")]
    public void An_application_takes_its_users_own_driver_before_the_systems(string own, string there, string expected) =>
        Assert.Equal(expected, LinkEndpointPath.OwnOrSystem(own, path => there == "both" || there == path));

    private static LinkEnvironment Root => new() { EffectiveUser = 0, RealUser = 0, RunOwner = 0 };

    private static LinkEnvironment User => new() { EffectiveUser = 1000, RealUser = 1000, RunOwner = 0 };
}
