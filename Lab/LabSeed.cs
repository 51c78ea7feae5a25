using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Tapwire;

/// <summary>Everything random in a lab derives from its seed: each by its purpose, so that one more host leaves the others' numbers as they are.</summary>
internal readonly record struct LabSeed(long Value)
{
    /// <summary>32 bytes.</summary>
    public byte[] Bytes(string purpose) => SHA256.HashData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"tapwire-lab {Value} {purpose}")));

    public ulong Number(string purpose) => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(purpose));
}
