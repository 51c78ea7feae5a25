using System.Diagnostics.CodeAnalysis;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Interfaces;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Neighbors;

namespace Tapwire.Tests.Support;

/// <summary>A stack of which a spec uses one interface only: its first.</summary>
internal static class OneInterface
{
    extension(NetworkStack stack)
    {
        public NetworkInterface Interface => stack.Interfaces[0];

        public bool HasFrames => stack.Interface.HasFrames;

        public IReadOnlyList<NeighborInfo> Neighbors => stack.Interface.Neighbors;

        public StackError AddAddress(IpPrefix address, Instant now) => stack.AddAddress(stack.Interface, address, now);

        public bool TryDequeueFrame([NotNullWhen(true)] out PacketBuffer? frame) => stack.Interface.TryDequeueFrame(out frame);
    }
}
