using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Tapwire.Stack.Interfaces;

namespace Tapwire.Stack.Buffers;

/// <summary>
/// A pooled, reference-counted piece of pinned memory with room before and after its data, and optionally fragments: ranges of other buffers
/// that follow its own data. A frame is one such buffer from the wire to the application and back, so that a payload byte is copied only where
/// it enters or leaves the process.
/// </summary>
/// <remarks>
/// <para>Ownership: the holder of a buffer owns one reference, and gives it up with <see cref="Release"/> or by handing it on. The owner of the
/// only reference may write. A range that another buffer refers to as a fragment must not change until that buffer is released; bytes after
/// such a range may still be appended.</para>
/// <para>Only <see cref="Retain"/> and <see cref="Release"/> may be called from several threads at once.</para>
/// </remarks>
public sealed class PacketBuffer
{
    /// <summary>The most fragments one buffer can have: a 64 KiB super-frame of 4 KiB pieces, as in Linux's sk_buff (MAX_SKB_FRAGS).</summary>
    public const int MaxFragments = 17;

    private readonly BufferPool _pool;
    private byte[] _array;
    private Fragment[]? _fragments;
    private int _start;
    private int _length;
    private int _fragmentBytes;
    private int _references;

    internal PacketBuffer(BufferPool pool, int sizeClass, int capacity)
    {
        _pool = pool;
        SizeClass = sizeClass;
        _array = GC.AllocateUninitializedArray<byte>(capacity, pinned: true);
    }

    /// <summary>The next buffer of the queue or chain that this one is in. The holder of the buffer owns the link.</summary>
    public PacketBuffer? Next { get; set; }

    /// <summary>Holds the message objects that carry this buffer, across returns to the pool, so that a hop allocates nothing.</summary>
    public object? Carrier { get; set; }

    /// <summary>What the wire reports, or is asked to do, about checksum and segmentation.</summary>
    public OffloadNote Offload;

    /// <summary>When the frame was read from its wire, as a timestamp of the driver's clock; 0: it was not. A frame may wait before the engine receives
    /// it.</summary>
    public long ReceivedAt { get; set; }

    /// <summary>For a frame: the index of the interface (<see cref="NetworkInterface.Index"/>) whose wire it came from.</summary>
    public byte Interface { get; set; }

    /// <summary>Number of bytes in the buffer itself, without fragments.</summary>
    public int Length => _length;

    /// <summary>Number of bytes in the buffer and its fragments.</summary>
    public int TotalLength => _length + _fragmentBytes;

    public int FragmentCount { get; private set; }

    /// <summary>Bytes of memory that this buffer keeps in use, whatever its length; 0 for constant data.</summary>
    public int Capacity => IsConstant ? 0 : _array.Length;

    /// <summary>Free bytes before the data.</summary>
    public int Headroom => IsConstant ? 0 : _start;

    /// <summary>Free bytes after the data.</summary>
    public int Tailroom => IsConstant ? 0 : _array.Length - _start - _length;

    /// <summary>The data are <see cref="ConstantBytes"/>, which must not be written.</summary>
    public bool IsConstant => SizeClass == BufferPool.ConstantClass;

    /// <summary>No reference but the caller's own exists.</summary>
    public bool IsExclusive => Volatile.Read(ref _references) == 1;

    /// <summary>The buffer's own data, without fragments.</summary>
    public Span<byte> Span
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => MemoryMarshal.CreateSpan(ref Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_array), (nint)(uint)_start), _length);
    }

    /// <summary>The buffer's own data, without fragments, to be read while a reference is held.</summary>
    public ReadOnlyMemory<byte> Memory => _array.AsMemory(_start, _length);

    /// <summary>The free bytes after the data: what is written there becomes data by <see cref="Append"/>.</summary>
    public Memory<byte> FreeMemory => IsConstant ? default : _array.AsMemory(_start + _length);

    /// <summary>The address of <see cref="Span"/>, which does not move while a reference is held.</summary>
    public unsafe byte* Pointer => (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_array)) + _start;

    internal int SizeClass { get; }

    /// <summary>Adds <paramref name="count"/> bytes before the data and returns them, unwritten.</summary>
    public Span<byte> Prepend(int count)
    {
        if ((uint)count > (uint)Headroom)
            ThrowNoRoom(count, Headroom, "before");
        _start -= count;
        _length += count;
        return Span[..count];
    }

    /// <summary>Adds <paramref name="count"/> bytes after the data and returns them, unwritten. Not for a buffer with fragments.</summary>
    public Span<byte> Append(int count)
    {
        Debug.Assert(FragmentCount == 0);
        if ((uint)count > (uint)Tailroom)
            ThrowNoRoom(count, Tailroom, "after");
        _length += count;
        return Span[(_length - count)..];
    }

    /// <summary>Removes bytes from the front: a header that has been read.</summary>
    public void TrimStart(int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)_length, nameof(count));
        _start += count;
        _length -= count;
    }

    /// <summary>Cuts the buffer's own data to <paramref name="length"/> bytes: padding, or bytes outside a window. Not for a buffer with fragments.</summary>
    public void Truncate(int length)
    {
        Debug.Assert(FragmentCount == 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)_length, nameof(length));
        _length = length;
    }

    /// <summary>Empties the buffer and leaves <paramref name="headroom"/> bytes before its data.</summary>
    public void Reset(int headroom)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)headroom, (uint)_array.Length, nameof(headroom));
        ReleaseFragments();
        _start = headroom;
        _length = 0;
        Offload = default;
    }

    /// <summary>
    /// Appends <paramref name="count"/> bytes of <paramref name="source"/> from <paramref name="offset"/> on as a fragment, and keeps a reference to the source
    /// until this buffer is released.
    /// </summary>
    public void AddFragment(PacketBuffer source, int offset, int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)offset, (uint)source._length, nameof(offset));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)(source._length - offset), nameof(count));
        if (FragmentCount == MaxFragments)
            throw new InvalidOperationException($"A buffer has at most {MaxFragments} fragments.");
        Add(new Fragment(source, source._start + offset, count));
    }

    /// <summary>
    /// Appends a range of a whole frame, its own data and its fragments taken together, as fragments. This buffer then refers to the memory that the frame
    /// refers to, so the frame may be released before it.
    /// </summary>
    /// <returns>Number of bytes appended: fewer than asked for if this buffer reaches <see cref="MaxFragments"/>.</returns>
    public int AddFragments(PacketBuffer frame, int offset, int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)offset, (uint)frame.TotalLength, nameof(offset));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)(frame.TotalLength - offset), nameof(count));
        var left = count;
        for (var i = -1; left > 0 && FragmentCount < MaxFragments; i++)
        {
            var piece = i < 0 ? new Fragment(frame, frame._start, frame._length) : frame._fragments![i];
            if (offset >= piece.Length)
            {
                offset -= piece.Length;
                continue;
            }

            var part = Math.Min(left, piece.Length - offset);
            Add(new Fragment(piece.Source, piece.Start + offset, part));
            left -= part;
            offset = 0;
        }

        return count - left;
    }

    /// <summary>The bytes of fragment <paramref name="index"/>, 0..<see cref="FragmentCount"/> - 1.</summary>
    public ReadOnlySpan<byte> GetFragment(int index)
    {
        ref readonly var fragment = ref FragmentAt(index);
        return fragment.Source._array.AsSpan(fragment.Start, fragment.Length);
    }

    /// <summary>As <see cref="GetFragment"/>, to be read while this buffer is held.</summary>
    public ReadOnlyMemory<byte> GetFragmentMemory(int index)
    {
        ref readonly var fragment = ref FragmentAt(index);
        return fragment.Source._array.AsMemory(fragment.Start, fragment.Length);
    }

    /// <summary>Address and length of fragment <paramref name="index"/>, for an iovec. Valid while this buffer is held.</summary>
    public unsafe byte* GetFragmentPointer(int index, out int length)
    {
        ref readonly var fragment = ref FragmentAt(index);
        length = fragment.Length;
        return (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(fragment.Source._array)) + fragment.Start;
    }

    /// <summary>Copies the data and the fragments' bytes, <see cref="TotalLength"/> in all.</summary>
    public void CopyTo(Span<byte> destination)
    {
        Span.CopyTo(destination);
        destination = destination[_length..];
        for (var i = 0; i < FragmentCount; i++)
        {
            var fragment = GetFragment(i);
            fragment.CopyTo(destination);
            destination = destination[fragment.Length..];
        }
    }

    /// <summary>Adds a reference. Any thread that holds a reference may call it.</summary>
    public PacketBuffer Retain()
    {
        if (Interlocked.Increment(ref _references) <= 1)
            throw new ObjectDisposedException(nameof(PacketBuffer), "The buffer is back in its pool.");
        return this;
    }

    /// <summary>Gives up one reference; the last one returns the buffer, and its references to fragments, to the pool.</summary>
    /// <exception cref="ObjectDisposedException">There was no reference left: it has been released once too often.</exception>
    public void Release()
    {
        var left = Volatile.Read(ref _references) == 1 ? _references = 0 : Interlocked.Decrement(ref _references);
        if (left > 0)
            return;
        if (left < 0)
            throw new ObjectDisposedException(nameof(PacketBuffer), "The buffer has been released once too often.");
        ReleaseFragments();
        Next = null;
        if (IsConstant)
            _array = [];
        _pool.Return(this);
    }

    /// <summary>Releases a chain linked by <see cref="Next"/>. Null is an empty chain.</summary>
    public static void ReleaseChain(PacketBuffer? first)
    {
        while (first is not null)
        {
            var next = first.Next;
            first.Next = null;
            first.Release();
            first = next;
        }
    }

    internal void Rented(int headroom)
    {
        _start = headroom;
        _length = 0;
        Offload = default;
        ReceivedAt = 0;
        Interface = 0;
        Volatile.Write(ref _references, 1);
    }

    /// <summary>Makes those bytes the data of a buffer of the constant class that has just been rented.</summary>
    internal void Refer(ConstantBytes bytes, int offset, int count)
    {
        _array = bytes.Array;
        _start = offset;
        _length = count;
    }

    internal Span<byte> WholeArray => _array;

    private void Add(in Fragment fragment)
    {
        _fragments ??= new Fragment[MaxFragments];
        fragment.Source.Retain();
        _fragments[FragmentCount++] = fragment;
        _fragmentBytes += fragment.Length;
    }

    private ref readonly Fragment FragmentAt(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)FragmentCount, nameof(index));
        return ref _fragments![index];
    }

    private void ReleaseFragments()
    {
        for (var i = 0; i < FragmentCount; i++)
        {
            _fragments![i].Source.Release();
            _fragments[i] = default;
        }

        FragmentCount = 0;
        _fragmentBytes = 0;
    }

    private static void ThrowNoRoom(int wanted, int there, string where) =>
        throw new InvalidOperationException($"{wanted} bytes wanted {where} the data, {there} free.");

    private readonly record struct Fragment(PacketBuffer Source, int Start, int Length);
}
