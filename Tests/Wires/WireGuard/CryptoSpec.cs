using System.Text;
using Org.BouncyCastle.Crypto.Digests;
using Org.BouncyCastle.Crypto.Generators;
using Org.BouncyCastle.Crypto.Parameters;
using Tapwire.Wires.WireGuard;
using Tapwire.Wires.WireGuard.Crypto;
using Xunit;

namespace Tapwire.Tests.Wires.WireGuard;

/// <summary>Known answers of the functions that WireGuard is made of.</summary>
public sealed class CryptoSpec
{
    private const string DraftText = "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or obsoleted by other documents at any time. "
        + "It is inappropriate to use Internet-Drafts as reference material or to cite them other than as /\u201cwork in progress./\u201d";

    private const string DraftSealed =
        "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b94"
        + "8114ad176e008d33bd60f982b1ff37c8559797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c"
        + "523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77"
        + "987130305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709beead9d67890cbb22392336fea1851f38";

    public static TheoryData<bool> Implementations => LibcryptoCipher.IsAvailable ? [false, true] : [false];

    [Fact]
    public void Blake2s_of_RFC_7693_appendix_B()
    {
        var output = new byte[32];
        Blake2s.Hash("a"u8, "bc"u8, output);
        Assert.Equal("508C5E8C327C14E2E1A72BA34EEB452F37458B209ED63A294D999B4C86675982", Convert.ToHexString(output));
    }

    [Fact]
    public void Key_derivation_gives_the_answers_of_the_WireGuard_implementations()
    {
        // A key is padded with zeros to a block, so a chaining key of 32 bytes may begin with it.
        var chain = new byte[32];
        "test-key"u8.CopyTo(chain);
        var (second, third) = (new byte[32], new byte[32]);
        Blake2s.Derive(chain, "test-input"u8, second, third);
        Assert.Equal("6f0e5ad38daba1bea8a0d213688736f19763239305e0f58aba697f9ffc41c633", Hex(chain));
        Assert.Equal("df1194df20802a4fe594cde27e92991c8cae66c366e8106aaa937a55fa371e8a", Hex(second));
        Assert.Equal("fac6e2745a325f5dc5d11a5b165aad08b0ada28e7b4e666b7c077934a4d76c24", Hex(third));
    }

    [Fact]
    public void Key_derivation_is_that_of_the_library()
    {
        var random = new Random(1);
        for (var run = 0; run < 100; run++)
        {
            var (chain, input) = (new byte[32], new byte[random.Next(65)]);
            random.NextBytes(chain);
            random.NextBytes(input);
            var library = new HkdfBytesGenerator(new Blake2sDigest(256));
            library.Init(new HkdfParameters(input, chain, null));
            var expected = new byte[96];
            library.GenerateBytes(expected, 0, expected.Length);

            var (second, third) = (new byte[32], new byte[32]);
            Blake2s.Derive(chain, input, second, third);
            Assert.Equal(expected, chain.Concat(second).Concat(third).ToArray());
        }
    }

    [Fact]
    public void X25519_of_RFC_7748()
    {
        var secret = new byte[32];
        Assert.True(Curve25519.TryAgree(Bytes("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"), Bytes("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"), secret));
        Assert.Equal("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552", Hex(secret));
    }

    [Fact]
    public void Points_of_small_order_give_no_secret()
    {
        Assert.False(Curve25519.TryAgree(Bytes("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"), new byte[32], new byte[32]));
        Assert.False(Curve25519.TryAgree(Bytes("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
            Bytes("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), new byte[32]));
    }

    [Theory]
    [MemberData(nameof(Implementations))]
    public void ChaCha20_Poly1305_of_RFC_8439_appendix_A_5(bool libcrypto)
    {
        var key = Bytes("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0");
        var associated = Bytes("f33388860000000000004e91");
        var text = Encoding.UTF8.GetBytes(DraftText);
        using var opening = Make(libcrypto, key, seals: false);
        using var sealing = Make(libcrypto, key, seals: true);

        var plain = new byte[text.Length];
        Assert.True(opening.Open(0x0807060504030201, Bytes(DraftSealed), associated, plain));
        Assert.Equal(DraftText, Encoding.UTF8.GetString(plain));
        var sealedBytes = new byte[text.Length + 16];
        sealing.Seal(0x0807060504030201, text, associated, sealedBytes);
        Assert.Equal(DraftSealed, Hex(sealedBytes));
    }

    [Theory]
    [MemberData(nameof(Implementations))]
    public void A_cipher_works_in_place_at_every_length_and_opens_nothing_that_was_changed(bool libcrypto)
    {
        var key = new byte[32];
        using var sealing = Make(libcrypto, key, seals: true);
        using var opening = Make(libcrypto, key, seals: false);
        for (var length = 0; length < 200; length++)
        {
            var buffer = new byte[length + 16];
            buffer.AsSpan(0, length).Fill(0x41);
            sealing.Seal((ulong)length, buffer.AsSpan(0, length), default, buffer);
            buffer[length / 2] ^= 1;
            Assert.False(opening.Open((ulong)length, buffer, default, new byte[length]));
            buffer[length / 2] ^= 1;
            Assert.False(opening.Open((ulong)length + 1, buffer, default, new byte[length]));
            Assert.True(opening.Open((ulong)length, buffer, default, buffer.AsSpan(0, length)));
            Assert.True(buffer.AsSpan(0, length).IndexOfAnyExcept((byte)0x41) < 0);
        }
    }

    [Fact]
    public void XChaCha20_Poly1305_of_the_draft_appendix_A_3_1()
    {
        const string Expected = "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3"
            + "fff921f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49";
        var key = Bytes("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
        var nonce = Bytes("404142434445464748494a4b4c4d4e4f5051525354555657");
        var associated = Bytes("50515253c0c1c2c3c4c5c6c7");
        var text = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."u8.ToArray();
        var output = new byte[text.Length + 16];
        CookieCipher.Seal(key, nonce, text, associated, output);
        Assert.Equal(Expected, Hex(output));
        var back = new byte[text.Length];
        Assert.True(CookieCipher.TryOpen(key, nonce, output, associated, back));
        Assert.Equal(text, back);
        output[3] ^= 1;
        Assert.False(CookieCipher.TryOpen(key, nonce, output, associated, back));
    }

    [Fact]
    public void Keys_are_erased()
    {
        var key = new SecretKey(Enumerable.Repeat((byte)7, 32).ToArray());
        var copy = key.Copy();
        key.Dispose();
        Assert.Equal(new byte[32], key.Bytes.ToArray());
        Assert.Equal(7, copy.Bytes[31]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("AAAA")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")]
    public void What_is_no_key_is_refused(string text) => Assert.False(PublicKey.TryParse(text, out _));

    [Fact]
    public void A_key_is_written_as_it_was_read()
    {
        const string Text = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";
        Assert.True(PublicKey.TryParse(Text, out var key));
        Assert.Equal(Text, $"{key}");
    }

    private static TransportCipher Make(bool libcrypto, byte[] key, bool seals) => libcrypto ? new LibcryptoCipher(key, seals) : new RuntimeCipher(key);

    private static byte[] Bytes(string hex) => Convert.FromHexString(hex);

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
