using System.Globalization;
using System.Text;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Stack.Packets;
using Tapwire.Stack.Tcp;
using Xunit.Sdk;

namespace Tapwire.Tests.Sim;

/// <summary>
/// Runs a script against one TCP: segments that come in (<c>&lt;</c>), segments that must go out (<c>&gt;</c>), and calls of the application, each
/// at a time after the line before. Every segment that goes out must be expected, at its time.
/// </summary>
/// <remarks>
/// <code>
/// +0    &lt; S 0:0(0) win 65535 &lt;mss 1460&gt;     comes in; lines at the same time are one batch, until something is expected
/// +0    &gt; S. 0:0(0) ack 1                   must go out, now (to the millisecond)
/// +40ms &gt; . 1:1(0) ack 1001                 40 ms later and not before
/// +0    listen | connect | accept | unlisten    open
/// +0    peer 50001                          another connection: the peer's port, and all numbers begin anew
/// +0    &lt; PU. 1:11(10) ack 1 urg 10         the urgent data ends before the byte that the pointer names
/// +0    write 1000 | write-urgent 1 | mark 10 (bytes up to the end of the peer's urgent data) | write 10 BrokenPipe (the call must fail so)
/// +0    shutdown | close | abort | shutdown-read
/// +0    read 1000 | take 1000 | consume 1000 | eof     exactly so many bytes are there; take leaves the window closed
/// +0    connected | writable | closed reset | no-event           events since the line before that asked
/// +0    &lt; P. 1:11(10) ack 1 [ce]               the ECN field of IP; &gt; with [ect0] or [not-ect] asks for it
/// +0    icmp PacketTooBig 1000 | icmp PacketTooBig 1000@1461 (what is quoted)
/// +0    forget                              whatever has been sent is of no interest
/// +0    cork 1 | cork 0 | quickack 1
/// +0    state FinWait2 | nodelay | cwnd 14600 | counter TcpRetransSegs 1 | poll
/// </code>
/// Times: <c>+0</c>, <c>+40ms</c>, <c>+1.5s</c>. The payload is a pattern of the sequence number, and checked both ways.
/// </remarks>
internal sealed partial class TcpScript
{
    /// <summary>Bytes by which an IPv6 header is longer. The MTU is more by so many over IPv6, so that segments have the same lengths.</summary>
    private const int LongerHeader = Ipv6Header.Length - Ipv4Header.Length;

    private static readonly IpAddress s_oursV4 = IpAddress.Parse("192.0.2.1");
    private static readonly IpAddress s_theirsV4 = IpAddress.Parse("192.0.2.2");
    private static readonly IpAddress s_oursV6 = IpAddress.Parse("2001:db8::1");
    private static readonly IpAddress s_theirsV6 = IpAddress.Parse("2001:db8::2");
    private const ushort OurPort = 8080;
    private const ushort TheirPort = 50000;
    private const uint PeerIss = 0xFFFF_F000;

    private readonly PoisoningBufferPool _pool = new();
    private readonly Queue<(Instant At, ScriptSegment Segment)> _out = new();
    private readonly StringBuilder _trace = new();
    private SimHost _host = null!;
    private TcpListener? _listener;
    private TcpSocket? _socket;
    private SocketEvents _events;
    private Instant _started;
    private Instant _now = Instant.FromMilliseconds(10_000_000);
    private uint? _iss;
    private uint? _timestampBase;
    private FastOpenCookie _cookie;
    private ushort _ourPort = OurPort;
    private ushort _theirPort = TheirPort;
    private uint _written;
    private uint _read;
    private int _taken;

    /// <summary>The end of the stream came with bytes that were read.</summary>
    private bool _ended;

    // The script is run over IPv4 and then, line by line the same, over IPv6.
    private TcpScript? _overV6;
    private bool _isV6;

    private IpAddress Ours => _isV6 ? s_oursV6 : s_oursV4;

    private IpAddress Theirs => _isV6 ? s_theirsV6 : s_theirsV4;

    /// <summary>What the script, or the spec with its <see cref="Host"/>, does is a matter of IPv4, or can be done once only.</summary>
    public bool IsOfV4Only { get; init; }

    public TcpOptions Options { get; init; } = new() { Timestamps = false, CongestionControl = CongestionAlgorithm.NewReno };

    public TcpSocketOptions SocketOptions { get; init; }

    public int SuperFrame { get; init; } = 1500;

    public SimHost Host => _host;

    /// <summary>What the IP layer was asked for with the last segment.</summary>
    public IpSendInfo LastSent { get; private set; }

    public TcpSocket Socket => _socket ?? throw new XunitException("There is no socket yet.");

    /// <summary>A passive open without options but the peer's MSS.</summary>
    public const string Accepted = """
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460>
        +0 > S. 0:0(0) ack 1
        +0 < . 1:1(0) ack 1 win 65535
        +0 accept

        """;

    /// <summary>The same with SACK, and with a round trip of 20 ms.</summary>
    public const string AcceptedWithSack = """
        +0 listen
        +0 < S 0:0(0) win 65535 <mss 1460,sackOK>
        +0 > S. 0:0(0) ack 1
        +20ms < . 1:1(0) ack 1 win 65535
        +0 accept

        """;

    /// <summary>An active open without options but the peer's MSS.</summary>
    public const string Connected = """
        +0 connect
        +0 > S 0:0(0)
        +0 < S. 0:0(0) ack 1 win 65535 <mss 1460>
        +0 > . 1:1(0) ack 1
        +0 connected

        """;

    public TcpScript Run(string script)
    {
        if (_host is null)
        {
            var longer = _isV6 ? LongerHeader : 0;
            _host = new SimHost(Ours, _pool, 42, Options) { Mtu = 1500 + longer, SuperFrame = SuperFrame + longer };
            _started = _now;
            if (!_isV6 && !IsOfV4Only)
                _overV6 = new TcpScript { Options = Options, SocketOptions = SocketOptions, SuperFrame = SuperFrame, _isV6 = true };
        }

        foreach (var line in script.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.StartsWith('#'))
                continue;
            _trace.AppendLine(line);
            var words = line.Split(' ', 2, StringSplitOptions.TrimEntries);
            var at = _now + Time(words[0]);
            try
            {
                Step(at, words[1]);
            }
            catch (Exception e) when (e is not XunitException)
            {
                throw Failure($"{e.GetType().Name}: {e.Message}", e);
            }
        }

        Poll();
        ExpectNothing("the end of the script");
        _overV6?.Run(script);
        return this;
    }

    /// <summary>Fails if a buffer is missing once the connection is gone.</summary>
    public void AssertNoLeak()
    {
        _socket?.Abort(_now);
        _listener?.Close(_now);
        _host.Discard();
        _pool.AssertAllReturned();
        _overV6?.AssertNoLeak();
    }

    private void Step(Instant at, string what)
    {
        if (what.StartsWith('>'))
        {
            Expect(at, ScriptSegment.Parse(what[1..]));
            return;
        }

        AdvanceTo(at);
        if (what.StartsWith('<'))
        {
            if (_out.Count > 0)
                ExpectNothing(what);
            Inject(ScriptSegment.Parse(what[1..]));
            return;
        }

        var words = what.Split(' ');
        if (words[0] is not ("nodelay" or "listen"))
            Poll();
        Call(words[0], words.Length > 1 ? words[1] : "", words.Length > 2 ? words[2] : "");
    }

    private void Call(string verb, string argument, string second)
    {
        switch (verb)
        {
            case "listen":
                Require(_host.Tcp.Listen(new IpEndpoint(Ours, OurPort), argument == "" ? 8 : Number(argument), SocketOptions, out _listener));
                break;
            case "connect":
                Require(_host.Tcp.Connect(new IpEndpoint(Theirs, _theirPort), default(IpEndpoint), SocketOptions, _now, out _socket));
                _ourPort = _socket!.Local.Port;
                break;
            case "peer":
                DrainEvents();
                (_socket, _iss, _timestampBase, _written, _read, _taken, _ended, _events) = (null, null, null, 0, 0, 0, false, SocketEvents.None);
                _theirPort = (ushort)Number(argument);
                break;
            case "accept":
                _socket = _listener!.Accept() ?? throw Failure("There is nothing to accept.");
                break;
            case "not-accepted":
                Check(_listener!.Accept() is null, "something was there to accept");
                break;
            case "write":
                Write(Number(argument), urgent: false, second);
                break;
            case "write-urgent":
                Write(Number(argument), urgent: true, second);
                break;
            case "read":
                Take(Number(argument));
                Socket.Consumed(_taken, _now);
                _taken = 0;
                break;
            case "take":
                Take(Number(argument));
                break;
            case "consume":
                Socket.Consumed(Number(argument), _now);
                _taken -= Number(argument);
                break;
            case "eof":
                PacketBuffer.ReleaseChain(Socket.Read(out var left, out var end));
                Check(left == 0 && end != _ended, $"{left} bytes are left, end of stream: {end}");
                _ended = false;
                break;
            case "unlisten":
                _listener!.Close(_now);
                break;
            case "shutdown":
                Socket.ShutdownSend(_now);
                break;
            case "shutdown-read":
                Socket.ShutdownReceive(_now);
                break;
            case "close":
                Socket.Close(_now);
                break;
            case "abort":
                Socket.Abort(_now);
                break;
            case "nodelay":
                Socket.SetOptions(Socket.Options with { NoDelay = true }, _now);
                break;
            case "cork":
                Socket.SetOptions(Socket.Options with { Cork = argument != "0" }, _now);
                break;
            case "quickack":
                Socket.AcknowledgeQuickly(Number(argument));
                break;
            case "poll":
                Poll();
                break;
            case "forget":
                Poll();
                _out.Clear();
                break;
            case "icmp":
                Icmp(Enum.Parse<IcmpErrorKind>(argument), second);
                break;
            default:
                Ask(verb, argument, second);
                break;
        }
    }

    private void Write(int count, bool urgent, string error)
    {
        var buffer = _pool.Rent(count);
        var span = buffer.Append(count);
        for (var i = 0; i < count; i++)
            span[i] = Pattern(1 + _written + (uint)i);
        var outcome = Socket.Write(buffer, _now, urgent);
        if (error == "")
            _written += (uint)count;
        Check(outcome.ToString() == (error == "" ? "None" : error), $"the call says {outcome}");
    }

    private void Take(int count)
    {
        var chain = Socket.Read(out var bytes, out var end);
        _ended |= end;
        for (var buffer = chain; buffer is not null; buffer = buffer.Next)
        {
            foreach (var value in buffer.Span)
                Check(value == Pattern(1 + _read++), $"byte {_read} is not what was sent");
        }

        PacketBuffer.ReleaseChain(chain);
        Check(bytes == count, $"{bytes} bytes were there");
        _taken += bytes;
    }

    private void Inject(ScriptSegment segment)
    {
        var header = segment.ToHeader(PeerIss, _iss ?? 0, _timestampBase ?? 0, _cookie);
        header.SourcePort = _theirPort;
        header.DestinationPort = _ourPort;
        var buffer = _pool.Rent(header.Length + segment.Length);
        header.Emit(buffer.Append(header.Length));
        var payload = buffer.Append(segment.Length);
        var first = segment.Sequence + (segment.Flags.HasFlag(TcpFlags.Syn) ? 1u : 0);
        for (var i = 0; i < payload.Length; i++)
            payload[i] = Pattern(first + (uint)i);
        SimChecksum.Fill(buffer.Span, Theirs, Ours);
        _host.Tcp.Receive(buffer, new IpReceiveInfo(Theirs, Ours, 64, segment.Ecn ?? 0, false), _now);
    }

    /// <param name="argument">The MTU, and after an @ the sequence number that is quoted instead of SND.UNA.</param>
    private void Icmp(IcmpErrorKind kind, string argument)
    {
        var words = argument.Split('@');
        var quotedSequence = words.Length > 1 ? _iss!.Value + (uint)Number(words[1]) : Socket.SndUna;
        argument = words[0];
        Span<byte> quoted = stackalloc byte[8];
        var header = new TcpHeader { SourcePort = _ourPort, DestinationPort = _theirPort, Sequence = quotedSequence };
        Span<byte> whole = stackalloc byte[TcpHeader.MinLength];
        header.Emit(whole);
        whole[..8].CopyTo(quoted);
        _host.Tcp.ErrorReceived(new IpReceiveInfo(Ours, Theirs, 64, 0, false), quoted, kind, argument == "" ? 0 : Number(argument) + (_isV6 ? LongerHeader : 0), _now);
    }

    private void Expect(Instant at, ScriptSegment expected)
    {
        AdvanceTo(at);
        Poll();
        if (_out.Count == 0 && _host.PollAt <= at + TimeSpan.FromMilliseconds(1))
            AdvanceTo(_host.PollAt);
        if (_out.Count == 0)
            throw Failure($"Expected {expected}\nbut nothing was sent. Next deadline: {(_host.PollAt == Instant.Never ? "never" : (_host.PollAt - _now).ToString())}.");
        var (sent, actual) = _out.Dequeue();
        if (!expected.Matches(actual) || (sent - at).Duration() > TimeSpan.FromMilliseconds(1))
            throw Failure($"Expected {expected}\nactual   {actual}, sent {Offset(sent)}, {(sent - at).TotalMilliseconds} ms from when it was expected.");
    }

    private void ExpectNothing(string before)
    {
        if (_out.TryDequeue(out var item))
            throw Failure($"Not expected, before '{before}': {item.Segment}, sent {Offset(item.At)}.");
    }

    /// <summary>Moves the time on, from deadline to deadline. What is sent on the way was not expected, unless at the very end.</summary>
    private void AdvanceTo(Instant at)
    {
        if (at == _now)
            return;
        Poll();
        while (_host.PollAt <= at)
        {
            _now = Instant.Max(_now, _host.PollAt);
            Poll();
        }

        _now = at;
    }

    private void Poll()
    {
        // Again if the way out was full: that is no deadline.
        for (var turn = 0; turn == 0 || (turn < 100 && _host.Tcp.Turns.Waiting != 0); turn++)
        {
            _host.Poll(_now);
            Collect();
        }

        if (_host.PollAt <= _now)
            throw Failure($"After Poll at {Offset(_now)} the next deadline is {Offset(_host.PollAt)}.");
        DrainEvents();
    }

    private void Collect()
    {
        while (_host.TryDequeue(out var packet, out var info))
        {
            var bytes = new byte[packet.TotalLength];
            packet.CopyTo(bytes);
            packet.Release();
            LastSent = info;
            Check(TcpHeader.TryParse(bytes, out var header, out var length) == TcpParseResult.Ok, "a segment is malformed");
            if (header.Has(TcpFlags.Syn))
                _iss ??= header.Sequence;
            if (header is { HasFastOpen: true, FastOpenCookie.IsRequest: false })
                _cookie = header.FastOpenCookie;
            if (header.HasTimestamp)
                _timestampBase ??= header.TimestampValue;
            var segment = ScriptSegment.From(header, bytes.Length - length, info.TrafficClass, _iss ?? 0, PeerIss, _timestampBase ?? 0);
            var first = segment.Sequence + (header.Has(TcpFlags.Syn) ? 1u : 0);
            for (var i = length; i < bytes.Length; i++)
                Check(bytes[i] == Pattern(first + (uint)(i - length)), $"byte {i - length} of {segment} is not what was written");
            _out.Enqueue((_now, segment));
        }
    }

    private void DrainEvents()
    {
        while (_host.Events.TryDequeue(out var socket, out var events))
        {
            if (socket == _socket)
                _events |= events;
        }
    }

    private void Require(StackError error) => Check(error == StackError.None, $"the call says {error}");

    private void Check(bool holds, string otherwise)
    {
        if (!holds)
            throw Failure($"But {otherwise}.");
    }

    private XunitException Failure(string what, Exception? inner = null) =>
        new($"{(_isV6 ? "Over IPv6: " : "")}{what}\nThe script up to here:\n{_trace}", inner);

    private string Offset(Instant instant) => $"at {(instant - _started).TotalMilliseconds} ms";

    private static byte Pattern(uint sequence) => (byte)(sequence * 7 + (sequence >> 8));

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static TimeSpan Time(string text) => text switch
    {
        ['+', .. var value, 'm', 's'] => TimeSpan.FromMilliseconds(double.Parse(value, CultureInfo.InvariantCulture)),
        ['+', .. var value, 's'] => TimeSpan.FromSeconds(double.Parse(value, CultureInfo.InvariantCulture)),
        "+0" => TimeSpan.Zero,
        _ => throw new FormatException($"'{text}' is no time: +0, +40ms, +1.5s."),
    };
}
