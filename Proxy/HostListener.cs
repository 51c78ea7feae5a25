using Tapwire.Stack.Ip;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Proxy;

/// <summary>A listening TCP socket of the host's kernel.</summary>
public sealed unsafe class HostListener : WatchedDescriptor
{
    private const int Backlog = 1024;

    private readonly Acceptor _acceptor;

    private HostListener(int descriptor)
        : base(descriptor)
    {
        Local = HostAddress.Local(descriptor);
        _acceptor = new Acceptor(descriptor, OpenFileLimit.OfProcess.Admits, () => ChangeInterest(Readiness.Readable));
    }

    /// <summary>The address that it listens on. If port 0 was asked for, with the port that the kernel has chosen.</summary>
    public IpEndpoint Local { get; }

    /// <exception cref="HostSocketException">The address is in use, or not the host's.</exception>
    public static HostListener Listen(IpEndpoint local)
    {
        try
        {
            return new HostListener(Open(local));
        }
        catch (PosixException e)
        {
            throw new HostSocketException($"Cannot listen on TCP {local}: {Errors.Describe(e.Errno)}.", e);
        }
    }

    /// <summary>Begins to report waiting connections: call <see cref="TryAccept"/> until it returns None.</summary>
    public void Start(IReactor reactor, Action<Readiness> ready) => Watch(reactor, Readiness.Readable, ready);

    /// <summary>Accepts a waiting connection.</summary>
    /// <param name="stream">With Accepted: the caller's.</param>
    /// <returns>Accepted, None or Exhausted.</returns>
    public AcceptResult TryAccept(out HostStream? stream, out IpEndpoint peer)
    {
        var address = stackalloc byte[Sockaddr.Size];
        stream = null;
        peer = default;
        if (_acceptor.TryAccept(address, Sockaddr.Size, out var descriptor) is not AcceptResult.Accepted and var other)
            return other;
        peer = HostAddress.Read(address);
        stream = new HostStream(descriptor);
        return AcceptResult.Accepted;
    }

    public override void Dispose()
    {
        _acceptor.Dispose();
        base.Dispose();
    }

    private static int Open(IpEndpoint local)
    {
        var descriptor = HostAddress.Open(local.Address, SOCK_STREAM);
        try
        {
            HostAddress.SetOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
            HostAddress.Bind(descriptor, local);
            Errors.Check(listen(descriptor, Backlog), "listen");
            return descriptor;
        }
        catch (PosixException)
        {
            Close(descriptor);
            throw;
        }
    }
}
