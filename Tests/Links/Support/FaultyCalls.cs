using System.Net.Sockets;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using Tapwire.Posix;
using Xunit;
using static Tapwire.Posix.Libc;

namespace Tapwire.Tests.Links.Support;

/// <summary>
/// Has the calls of one thread on sockets give what they may give and seldom do: less than there is, less than was asked for, nothing, or an error that a signal or a lack of memory
/// causes. A filter of seccomp(2) hands each call to another thread of this process (seccomp_unotify(2)), which makes it in the caller's place, cut shorter, or does not make it.
/// What comes of each is drawn from a seed. The filter ends with the thread that it is for.
/// </summary>
internal sealed unsafe partial class FaultyCalls
{
    private const int PR_SET_NO_NEW_PRIVS = 38;
    private const nint SECCOMP_SET_MODE_FILTER = 1;
    private const nint SECCOMP_FILTER_FLAG_NEW_LISTENER = 1 << 3;

    // A signal, of which the runtime has many, does not take back a call that is being made for it.
    private const nint SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 1 << 5;

    private const uint SECCOMP_RET_USER_NOTIF = 0x7fc0_0000;
    private const uint SECCOMP_RET_ALLOW = 0x7fff_0000;
    private const nuint SECCOMP_IOCTL_NOTIF_RECV = 0xC050_2100;
    private const nuint SECCOMP_IOCTL_NOTIF_SEND = 0xC018_2101;
    private const uint SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1;

    // Instructions of struct sock_filter: load the call's number, compare it, return.
    private const ushort LoadWord = 0x20;
    private const ushort JumpIfEqual = 0x15;
    private const ushort Return = 0x06;

    private const int MaxVectors = 128;

    // In the same order on both architectures.
    private static readonly Call[] Calls = [Call.ReadVectors, Call.SendTo, Call.ReceiveFrom, Call.SendMessage, Call.ReceiveMessage];
    private static readonly int[] NumbersOnX64 = [19, 44, 45, 46, 47];
    private static readonly int[] NumbersOnArm64 = [65, 206, 207, 211, 212];

    private readonly HashSet<int> _spared = [];
    private readonly Random _random;
    private readonly int[] _errors;
    private readonly bool _cuts;
    private int _listener = -1;

    private FaultyCalls(int seed, bool cuts, int[] errors)
    {
        _random = new Random(seed);
        _cuts = cuts;
        _errors = errors;
    }

    private enum Call
    {
        ReadVectors,
        SendTo,
        ReceiveFrom,
        SendMessage,
        ReceiveMessage,
    }

    /// <summary>Calls that have been given another result than the kernel would have given.</summary>
    public int Faults { get; private set; }

    private static bool IsX64 => RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.X64;

    private static int[] Numbers => IsX64 ? NumbersOnX64 : NumbersOnArm64;

    /// <summary>Runs a spec on a thread whose calls are faulty; skips it where the kernel does not allow that.</summary>
    /// <param name="cuts">Whether calls move less than they could.</param>
    /// <param name="errors">Of calls that are not made.</param>
    public static void Run(int seed, bool cuts, int[] errors, Action<FaultyCalls> spec)
    {
        var calls = new FaultyCalls(seed, cuts, errors);
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                calls.Install();
                spec(calls);
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        });
        thread.Start();
        thread.Join();
        failure?.Throw();
        Assert.NotEqual(0, calls.Faults);
    }

    /// <summary>The spec's own socket, which is as always.</summary>
    public Socket Spare(Socket socket)
    {
        lock (_spared)
            _spared.Add((int)socket.SafeHandle.DangerousGetHandle());
        return socket;
    }

    private void Install()
    {
        var count = Numbers.Length;
        var program = stackalloc Instruction[count + 3];
        program[0] = new Instruction { Code = LoadWord };
        for (var i = 0; i < count; i++)
            program[1 + i] = new Instruction { Code = JumpIfEqual, IfTrue = (byte)(count - i), IfFalse = 0, Value = (uint)Numbers[i] };
        program[1 + count] = new Instruction { Code = Return, Value = SECCOMP_RET_ALLOW };
        program[2 + count] = new Instruction { Code = Return, Value = SECCOMP_RET_USER_NOTIF };
        var whole = new Program { Length = (ushort)(count + 3), Instructions = program };
        var started = new ManualResetEventSlim();
        var supervisor = new Thread(() => Supervise(started)) { IsBackground = true };
        supervisor.Start();
        started.Wait();
        Skip.If(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0, "a thread may not give up privileges");
        var number = IsX64 ? 317 : 277;
        var listener = (int)seccomp(number, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &whole);
        Volatile.Write(ref _listener, listener < 0 ? int.MinValue : listener);
        Skip.If(listener < 0, $"no calls can be handed over (Linux 5.19): {Errors.Describe(Errno)}");
    }

    /// <summary>Ends when the thread that the filter is for has ended.</summary>
    private void Supervise(ManualResetEventSlim started)
    {
        started.Set();
        var wait = new SpinWait();
        while (Volatile.Read(ref _listener) is -1)
            wait.SpinOnce();
        if (_listener < 0)
            return;
        while (true)
        {
            // A listener whose filter nobody has any more hangs up.
            var entry = new PollDescriptor { Descriptor = _listener, Events = POLLIN };
            _ = poll(&entry, 1, -1);
            if ((entry.Returned & POLLIN) == 0)
                break;
            var notice = default(Notice);
            if (ioctl(_listener, SECCOMP_IOCTL_NOTIF_RECV, &notice) != 0)
                continue;
            var answer = new Answer { Id = notice.Id };
            Decide(notice, ref answer);
            _ = ioctl(_listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
        }

        Close(_listener);
    }

    private void Decide(in Notice notice, ref Answer answer)
    {
        var descriptor = (int)notice.Argument0;
        var fate = _random.Next(10);
        var isSpared = false;
        lock (_spared)
            isSpared = _spared.Contains(descriptor);
        if (isSpared || fate < 4 || (fate < 7 && !_cuts))
        {
            answer.Flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
            return;
        }

        Faults++;
        if (fate >= 7)
        {
            answer.Error = -_errors[_random.Next(_errors.Length)];
            return;
        }

        var result = MakeShort(Calls[Array.IndexOf(Numbers, notice.Number)], descriptor, notice);
        if (result >= 0)
            answer.Value = result;
        else
            answer.Error = -Errno;
    }

    /// <summary>Makes the call with room for less, but for at least one byte.</summary>
    private nint MakeShort(Call call, int descriptor, in Notice notice)
    {
        switch (call)
        {
            case Call.SendTo:
                return send(descriptor, (void*)notice.Argument1, Less((nuint)notice.Argument2), (int)notice.Argument3);
            case Call.ReceiveFrom:
                return recv(descriptor, (void*)notice.Argument1, Less((nuint)notice.Argument2), (int)notice.Argument3);
        }

        var vectors = stackalloc IoVector[MaxVectors];
        if (call == Call.ReadVectors)
        {
            var used = Shorten((IoVector*)notice.Argument1, (int)notice.Argument2, vectors);
            return readv(descriptor, vectors, used);
        }

        // The other fields, and the control message, are the caller's.
        var message = (MessageHeader*)notice.Argument1;
        var (theirs, count) = ((nint)message->Vectors, message->VectorCount);
        message->VectorCount = (nuint)Shorten((IoVector*)theirs, (int)count, vectors);
        message->Vectors = vectors;
        var result = call == Call.SendMessage ? sendmsg(descriptor, message, (int)notice.Argument2) : recvmsg(descriptor, message, (int)notice.Argument2);
        message->Vectors = (IoVector*)theirs;
        message->VectorCount = count;
        return result;
    }

    private int Shorten(IoVector* from, int count, IoVector* to)
    {
        nuint whole = 0;
        for (var i = 0; i < count; i++)
            whole += from[i].Length;
        var left = Less(whole);
        var used = 0;
        for (; used < count && (left > 0 || used == 0); used++)
        {
            to[used] = from[used];
            to[used].Length = nuint.Min(left, from[used].Length);
            left -= to[used].Length;
        }

        return used;
    }

    /// <summary>Often very little, as where one byte at a time comes.</summary>
    private nuint Less(nuint length) => length < 2 ? length : (nuint)_random.NextInt64(1, _random.Next(2) == 0 ? Math.Min(8, (long)length) : (long)length);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint seccomp(nint number, nint operation, nint flags, void* argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int prctl(int option, nuint first, nuint second, nuint third, nuint fourth);

    /// <summary>struct sock_filter.</summary>
    private struct Instruction
    {
        public ushort Code;
        public byte IfTrue;
        public byte IfFalse;
        public uint Value;
    }

    /// <summary>struct sock_fprog.</summary>
    private struct Program
    {
        public ushort Length;
        public Instruction* Instructions;
    }

    /// <summary>struct seccomp_notif.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 80)]
    private struct Notice
    {
        public ulong Id;
        public uint Thread;
        public uint Flags;
        public int Number;
        public uint Architecture;
        public ulong InstructionPointer;
        public ulong Argument0;
        public ulong Argument1;
        public ulong Argument2;
        public ulong Argument3;
    }

    /// <summary>struct seccomp_notif_resp.</summary>
    private struct Answer
    {
        public ulong Id;
        public long Value;
        public int Error;
        public uint Flags;
    }
}
