using Tapwire.Stack.Ip;
using Tapwire.Wires;
using Tapwire.Wires.Posix;
using static Tapwire.Wires.Posix.Libc;

namespace Tapwire.Links;

/// <summary>A listening TCP socket of the host's kernel.</summary>
public sealed unsafe class HostListener : WatchedDescriptor
{
    private const int Backlog = 1024;

    // Given up for the moment that it takes to refuse a connection when no other descriptor is left.
    private int _spare = open("/dev/null", O_RDONLY | O_CLOEXEC, 0);

    private HostListener(int descriptor)
        : base(descriptor) => Local = HostAddress.Local(descriptor);

    /// <summary>Where it listens; with port 0 asked for, the one that the kernel chose.</summary>
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

    /// <summary>Takes a waiting connection.</summary>
    /// <param name="stream">With Accepted: the caller's.</param>
    /// <returns>Accepted, None or Exhausted.</returns>
    public LinkAccept TryAccept(out HostStream? stream, out IpEndpoint peer)
    {
        var address = stackalloc byte[Protocol.LinkAddress.Size];
        stream = null;
        peer = default;
        while (true)
        {
            uint length = Protocol.LinkAddress.Size;
            var descriptor = accept4(Descriptor, address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (descriptor >= 0)
            {
                peer = HostAddress.Read(address);
                stream = new HostStream(descriptor);
                return LinkAccept.Accepted;
            }

            switch (Errno)
            {
                case Errors.EMFILE or Errors.ENFILE:
                    return RefuseWithSpare();
                case Errors.EINTR or Errors.ECONNABORTED:
                    continue; // that one has gone; others may wait
                default:
                    return LinkAccept.None;
            }
        }
    }

    public override void Dispose()
    {
        if (_spare >= 0)
            Close(_spare);
        _spare = -1;
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

    private LinkAccept RefuseWithSpare()
    {
        if (_spare >= 0)
            Close(_spare);
        var descriptor = accept4(Descriptor, null, null, SOCK_CLOEXEC);
        if (descriptor >= 0)
            Close(descriptor);
        _spare = open("/dev/null", O_RDONLY | O_CLOEXEC, 0);
        return descriptor >= 0 ? LinkAccept.Exhausted : LinkAccept.None;
    }
}
