using Tapwire.Stack.Packets;
using Xunit;

namespace Tapwire.Tests.Stack.Tcp;

/// <summary>Bytes to fields and back: RFC 9293, 3.1 and 3.2, RFC 7323, RFC 2018.</summary>
public class TcpHeaderSpec
{
    private static readonly byte[] Syn = Convert.FromHexString(
        "c0001f90" + "01020304" + "00000000" + "a002ffff" + "00000000"
        + "020405b4" + "0402080a" + "0000abcd" + "00000000" + "01030307");

    private static readonly byte[] Ack = Convert.FromHexString(
        "c0001f90" + "01020304" + "0a0b0c0d" + "d0100100" + "00000000"
        + "0101080a" + "11223344" + "55667788" + "01010512" + "00001000" + "00002000" + "00003000" + "00004000");

    [Fact]
    public void A_syn_is_written_as_linux_writes_it()
    {
        var header = new TcpHeader
        {
            SourcePort = 0xC000, DestinationPort = 8080, Sequence = 0x01020304, Flags = TcpFlags.Syn, Window = 65535,
            Mss = 1460, SackPermitted = true, HasTimestamp = true, TimestampValue = 0xABCD, HasWindowScale = true, WindowScale = 7,
        };
        Assert.Equal(Syn, Emit(header));
    }

    [Fact]
    public void A_syn_is_read()
    {
        Assert.Equal(TcpParseResult.Ok, TcpHeader.TryParse(Syn, out var header, out var length));
        Assert.Equal(40, length);
        Assert.Equal(0xC000, header.SourcePort);
        Assert.Equal(8080, header.DestinationPort);
        Assert.Equal(0x01020304u, header.Sequence);
        Assert.Equal(TcpFlags.Syn, header.Flags);
        Assert.Equal(1460, header.Mss);
        Assert.True(header.SackPermitted);
        Assert.True(header.HasTimestamp);
        Assert.Equal(0xABCDu, header.TimestampValue);
        Assert.True(header.HasWindowScale);
        Assert.Equal(7, header.WindowScale);
        Assert.Equal(Syn, Emit(header));
    }

    [Fact]
    public void An_acknowledgement_with_timestamp_and_sack_goes_both_ways()
    {
        Assert.Equal(TcpParseResult.Ok, TcpHeader.TryParse(Ack, out var header, out _));
        Assert.Equal(2, header.SackCount);
        Assert.Equal(new SackBlock(0x1000, 0x2000), header.Sacks[0]);
        Assert.Equal(new SackBlock(0x3000, 0x4000), header.Sacks[1]);
        Assert.Equal(0x11223344u, header.TimestampValue);
        Assert.Equal(0x55667788u, header.TimestampEcho);
        Assert.Equal(Ack, Emit(header));
    }

    [Fact]
    public void Without_timestamps_sack_permitted_is_padded_by_itself()
    {
        var header = new TcpHeader { Flags = TcpFlags.Syn, SackPermitted = true };
        Assert.Equal("01010402", Convert.ToHexString(Emit(header)[20..]));
    }

    [Theory]
    [InlineData(0, TcpParseResult.Truncated)]
    [InlineData(19, TcpParseResult.Truncated)]
    [InlineData(39, TcpParseResult.BadOffset)]
    public void A_segment_cut_short_is_refused(int length, object expected) =>
        Assert.Equal(expected, TcpHeader.TryParse(Syn.AsSpan(0, length), out _, out _));

    [Fact]
    public void A_data_offset_below_five_is_refused()
    {
        var bytes = Syn.ToArray();
        bytes[12] = 0x40;
        Assert.Equal(TcpParseResult.BadOffset, TcpHeader.TryParse(bytes, out _, out _));
    }

    [Theory]
    [InlineData("02000000")]
    [InlineData("02010000")]
    [InlineData("02050000")]
    [InlineData("01010102")]
    [InlineData("fd0a0000")]
    public void A_list_of_options_that_cannot_be_walked_is_refused(string options) =>
        Assert.Equal(TcpParseResult.BadOptions, Parse(options, out _));

    [Theory]
    [InlineData("02030000")]
    [InlineData("0304aabb")]
    [InlineData("0404aabb")]
    [InlineData("0506000000010000")]
    [InlineData("fd040102")]
    [InlineData("0001ff00")]
    public void An_option_that_is_unknown_or_has_a_wrong_length_is_passed_over(string options)
    {
        Assert.Equal(TcpParseResult.Ok, Parse(options, out var header));
        Assert.Equal(TcpHeader.MinLength, header.Length);
    }

    [Fact]
    public void Random_bytes_never_throw_and_what_is_read_can_be_written()
    {
        var random = new Random(7);
        var bytes = new byte[80];
        var read = 0;
        for (var i = 0; i < 200_000; i++)
        {
            random.NextBytes(bytes);
            bytes[12] = (byte)(random.Next(5, 16) << 4);
            // Kinds and lengths that make sense now and then.
            for (var at = 20; at < 60; at++)
            {
                if (random.Next(2) == 0)
                    bytes[at] = (byte)random.Next(12);
            }

            if (TcpHeader.TryParse(bytes.AsSpan(0, random.Next(bytes.Length)), out var header, out var length) != TcpParseResult.Ok)
                continue;
            read++;
            Assert.InRange(length, 20, 60);
            if (header.Length > 60)
                continue;
            Assert.Equal(TcpParseResult.Ok, TcpHeader.TryParse(Emit(header), out var again, out _));
            Assert.Equal(header.Length, again.Length);
            Assert.Equal(header.Sequence, again.Sequence);
        }

        Assert.True(read > 1000);
    }

    private static TcpParseResult Parse(string options, out TcpHeader header)
    {
        var bytes = new byte[20].Concat(Convert.FromHexString(options)).ToArray();
        bytes[12] = (byte)(bytes.Length / 4 << 4);
        return TcpHeader.TryParse(bytes, out header, out _);
    }

    /// <summary>On a buffer full of 0xA5, so that a byte that is not written shows.</summary>
    private static byte[] Emit(in TcpHeader header)
    {
        var bytes = new byte[header.Length];
        bytes.AsSpan().Fill(0xA5);
        header.Emit(bytes);
        return bytes;
    }

    private static readonly byte[] FastOpenSyn = Convert.FromHexString(
        "c0001f90" + "01020304" + "00000000" + "d002ffff" + "00000000"
        + "020405b4" + "0402080a" + "0000abcd" + "00000000" + "01030307" + "220a0102030405060708" + "0101");

    [Fact]
    public void A_fast_open_cookie_has_room_beside_all_other_options_of_a_syn()
    {
        var header = new TcpHeader
        {
            SourcePort = 0xC000, DestinationPort = 8080, Sequence = 0x01020304, Flags = TcpFlags.Syn, Window = 65535,
            Mss = 1460, SackPermitted = true, HasTimestamp = true, TimestampValue = 0xABCD, HasWindowScale = true, WindowScale = 7,
            HasFastOpen = true, FastOpenCookie = new FastOpenCookie(0x0102030405060708, 0, 8),
        };
        Assert.Equal(FastOpenSyn, Emit(header));
        Assert.Equal(TcpParseResult.Ok, TcpHeader.TryParse(FastOpenSyn, out var read, out _));
        Assert.Equal(header.FastOpenCookie, read.FastOpenCookie);
        Assert.Equal(TcpHeader.MaxLength, (header with { FastOpenCookie = new FastOpenCookie(1, 2, 16) }).Length);
        Assert.Equal(44, (header with { FastOpenCookie = default }).Length);
    }

    /// <summary>RFC 7413, 4.1.1: none, or 4 to 16 bytes and an even number; anything else is passed over.</summary>
    [Fact]
    public void Fast_open_cookies_of_other_lengths_are_none()
    {
        for (var length = 0; length <= 20; length++)
        {
            var bytes = new byte[60];
            FastOpenSyn.AsSpan(0, 20).CopyTo(bytes);
            bytes[12] = 0xF0;
            bytes[20] = 34;
            bytes[21] = (byte)(2 + length);
            bytes.AsSpan(22, length).Fill(0x5A);
            Assert.Equal(TcpParseResult.Ok, TcpHeader.TryParse(bytes, out var header, out _));
            var valid = length == 0 || (length is >= 4 and <= 16 && length % 2 == 0);
            Assert.Equal(valid, header.HasFastOpen);
            if (!valid)
                continue;
            Assert.Equal(length, header.FastOpenCookie.Length);
            var back = new byte[length];
            header.FastOpenCookie.Write(back);
            Assert.Equal(bytes[22..(22 + length)], back);
        }
    }
}
