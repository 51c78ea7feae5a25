using System.Runtime.InteropServices;

namespace Tapwire.Tests.Links.Support;

/// <summary>Another user in the same process: Linux keeps credentials per thread, and only the C library makes them agree.</summary>
internal static partial class OtherUser
{
    /// <summary>Runs on a thread of its own that has given up root. False if this process may not do that.</summary>
    public static bool TryRun(uint userId, Action action)
    {
        var number = RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.X64 ? 117 : 147;
        var changed = false;
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            changed = SetResUid(number, userId, userId, userId) == 0;
            try
            {
                if (changed)
                    action();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        if (failure is not null)
            throw failure;
        return changed;
    }

    /// <summary>Gives a file away; of a symbolic link, the link itself. False if this process may not do that.</summary>
    public static bool TryOwn(string path, uint userId) => ChangeOwner(path, userId, userId) == 0;

    [LibraryImport("libc", EntryPoint = "lchown", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int ChangeOwner(string path, uint userId, uint groupId);

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial nint SetResUid(nint number, nuint real, nuint effective, nuint saved);
}
