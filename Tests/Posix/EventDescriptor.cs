using Tapwire.Posix;
using Xunit;

namespace Tapwire.Tests.Posix;

/// <summary>An eventfd: the simplest descriptor that can be made readable.</summary>
internal sealed unsafe class EventDescriptor : IDisposable
{
    public int Number { get; } = Libc.eventfd(0, Libc.EFD_CLOEXEC | Libc.EFD_NONBLOCK);

    public void Signal()
    {
        ulong one = 1;
        Assert.Equal(sizeof(ulong), Libc.write(Number, &one, sizeof(ulong)));
    }

    public void Drain()
    {
        ulong value;
        Assert.Equal(sizeof(ulong), Libc.Read(Number, &value, sizeof(ulong), out _));
    }

    public void Dispose() => Libc.Close(Number);
}
