using Tapwire.Links.Protocol;
using Tapwire.Posix;
using static Tapwire.Posix.Libc;

namespace Tapwire.Links;

/// <summary>
/// The driver's side of one control connection: reads requests and sends answers. Deals with partial frames, several frames at once, and a client that does not
/// read. The sockets that a client has made outlive its session.
/// </summary>
public sealed unsafe class LinkSession : WatchedDescriptor
{
    /// <summary>The most requests that one call of <see cref="ReadRequests"/> returns.</summary>
    public const int MaxBatch = 16;

    /// <summary>The most unanswered requests. While there are that many, no more are read.</summary>
    public const int MaxUnanswered = 1024;

    /// <summary>The most bytes of answers that wait for the client. While there are more, no requests are read.</summary>
    public const int MaxQueuedBytes = 256 << 10;

    private readonly byte[] _input = new byte[4 * LinkProtocol.MaxRequest];
    private readonly Queue<Outgoing> _output = new();
    private int _inputStart;
    private int _inputEnd;
    private int _queuedBytes;
    private int _headSent;
    private int _unanswered;
    private Readiness _interest = Readiness.Readable;
    // The last read has found something, so that the next one may well find nothing. Otherwise a read that finds nothing was called for by a report, and asks
    // for another.
    private bool _isReading;
    private bool _greeted;
    private bool _held;
    private bool _broken;

    // The descriptor that has come last with bytes of a request. It is for the next request that is complete, or is closed.
    private PassedDescriptor? _passed;

    internal LinkSession(int descriptor, PeerCredentials peer)
        : base(descriptor)
    {
        Peer = peer;
        IsInReserve = !OpenFileLimit.OfProcess.Admits(descriptor);
        var hello = new byte[LinkProtocol.HelloSize];
        LinkProtocol.WriteHello(hello);
        Queue(hello, null);
        Flush();
    }

    /// <summary>Makes a further session for a client, over a pair instead of the control socket.</summary>
    /// <param name="peer">The client.</param>
    /// <param name="application">The other end, to be passed to the client.</param>
    /// <exception cref="PosixException">No descriptor or memory is left.</exception>
    public static LinkSession Create(PeerCredentials peer, out ApplicationEnd application)
    {
        var (driver, other) = SocketPair.Create(SOCK_STREAM, MaxQueuedBytes, MaxQueuedBytes);
        application = new ApplicationEnd(other);
        return new LinkSession(driver, peer with { IsPassedOn = true });
    }

    public PeerCredentials Peer { get; }

    /// <summary>Its descriptor is from the reserve: it is let in only to ask for the driver's status.</summary>
    public bool IsInReserve { get; }

    /// <summary>Requests that are not answered yet.</summary>
    public int Unanswered => _unanswered;

    /// <summary>Bytes of answers that the client has not taken yet.</summary>
    public int QueuedBytes => _queuedBytes;

    /// <summary>
    /// Begins to report readiness. On every report: <see cref="Flush"/>, then <see cref="ReadRequests"/> until it does not return Data.
    /// </summary>
    public void Start(IReactor reactor, Action<Readiness> ready) => Watch(reactor, _interest, ready);

    /// <summary>Reads at most <see cref="MaxBatch"/> requests.</summary>
    /// <param name="requests">Requests are added to it; each is to be answered with <see cref="Send"/>.</param>
    /// <returns>Data: there may be more, call again when others have had their turn. Empty: wait for a report; requests may have been added all the
    /// same. Closed: the client has gone; the session is to be disposed.</returns>
    /// <exception cref="LinkProtocolException">The client does not speak the protocol; the session is to be disposed.</exception>
    public ReadResult ReadRequests(ICollection<LinkRequest> requests)
    {
        for (var handled = 0; handled < MaxBatch;)
        {
            if (_broken)
                return ReadResult.Closed;
            if (_unanswered >= MaxUnanswered || _queuedBytes > MaxQueuedBytes)
            {
                _held = true;
                return ReadResult.Empty;
            }

            if (TryParse(requests))
            {
                handled++;
                continue;
            }

            var read = Fill();
            if (read != ReadResult.Data)
                return read;
        }

        return ReadResult.Data;
    }

    /// <summary>Sends an answer, at once or after those before it, unless the client does not wait for it. Does nothing if the client has gone.</summary>
    /// <param name="descriptor">The application's end of a new socket. It passes to the session in any case.</param>
    public void Send(LinkAnswer answer, ApplicationEnd? descriptor = null)
    {
        ArgumentNullException.ThrowIfNull(answer);
        _unanswered--;
        if (answer.Type == LinkMessageType.PostOption)
            Rearm();
        else
            SendFrame(answer, descriptor);
    }

    /// <summary>Sends queued answers, as far as the client takes them.</summary>
    public void Flush()
    {
        if (IsClosed)
            return;
        while (!_broken && _output.TryPeek(out var next))
        {
            if (TrySend(next))
                continue;
            if (!_broken)
            {
                // Set anew even if it was set: the send may have failed for want of memory, and then no change of the socket would be reported.
                _interest |= Readiness.Writable;
                ChangeInterest(_interest);
            }

            break;
        }

        Rearm();
    }

    /// <summary>Ends the session, not its sockets. Descriptors that are still queued are closed.</summary>
    public override void Dispose()
    {
        Break();
        DropPassed();
        base.Dispose();
    }

    private void DropPassed()
    {
        _passed?.Dispose();
        _passed = null;
    }

    /// <summary>Parses one frame, or the hello. False: it is not complete yet.</summary>
    private bool TryParse(ICollection<LinkRequest> requests)
    {
        var bytes = _input.AsSpan(_inputStart, _inputEnd - _inputStart);
        if (!_greeted)
        {
            if (bytes.Length < LinkProtocol.HelloSize)
                return false;
            var version = LinkProtocol.ReadHello(bytes);
            if (version != LinkProtocol.Version)
                throw new LinkProtocolException($"The client speaks version {version} of the link protocol, this driver {LinkProtocol.Version}.");
            _greeted = true;
            _inputStart += LinkProtocol.HelloSize;
            return true;
        }

        var length = LinkRequestCodec.FrameLength(bytes, LinkProtocol.MaxRequest);
        if (length == 0 || bytes.Length < length)
        {
            // It belongs to a frame that has begun, or to none: earlier frames may have been read together with the one that it came with.
            if (bytes.IsEmpty)
                DropPassed();
            return false;
        }

        var request = LinkRequestCodec.Read(bytes[..length], out var refusal);
        _inputStart += length;
        if (request is AddGuestRequest or CaptureRequest)
        {
            request = request is AddGuestRequest guest ? guest with { Device = _passed } : (CaptureRequest)request with { Output = _passed };
            _passed = null;
        }

        if (request is null)
        {
            SendFrame(refusal!, null);
            return true;
        }

        _unanswered++;
        requests.Add(request);
        return true;
    }

    private ReadResult Fill()
    {
        if (_inputStart > 0)
        {
            _input.AsSpan(_inputStart, _inputEnd - _inputStart).CopyTo(_input);
            _inputEnd -= _inputStart;
            _inputStart = 0;
        }

        fixed (byte* start = _input)
        {
            var read = (int)ReceiveDescriptor(Descriptor, start + _inputEnd, _input.Length - _inputEnd, MSG_DONTWAIT, out var passed);
            if (read > 0)
            {
                if (passed >= 0)
                {
                    _passed?.Dispose();
                    _passed = new PassedDescriptor(passed);
                }

                _inputEnd += read;
                _isReading = true;
                return ReadResult.Data;
            }

            if (read == 0 || Errno is not (Errors.EAGAIN or Errors.ENOBUFS or Errors.ENOMEM))
                return ReadResult.Closed;
            if (Errno != Errors.EAGAIN || !_isReading)
                ChangeInterest(_interest);
            _isReading = false;
            return ReadResult.Empty;
        }
    }

    private void SendFrame(LinkAnswer answer, ApplicationEnd? descriptor)
    {
        if (_broken || IsClosed)
        {
            descriptor?.Dispose();
            return;
        }

        var frame = new byte[answer.Size];
        answer.WriteTo(frame);
        Queue(frame, descriptor);
        if (_output.Count == 1)
            Flush();
        else
            Rearm();
    }

    private void Queue(byte[] frame, ApplicationEnd? descriptor)
    {
        _output.Enqueue(new Outgoing(frame, descriptor));
        _queuedBytes += frame.Length;
    }

    /// <summary>Sends the oldest frame, or its rest. False: the client has to read first, or has gone.</summary>
    private bool TrySend(Outgoing next)
    {
        var descriptor = _headSent == 0 ? next.Descriptor?.Descriptor ?? -1 : -1;
        var sent = (int)SocketPair.SendWithDescriptor(Descriptor, next.Frame.AsSpan(_headSent), descriptor);
        if (sent < 0 && Errno == LinkErrno.TooManyInFlight && descriptor >= 0)
        {
            RefuseDescriptor(next);
            return true;
        }

        if (sent < 0)
        {
            if (Errno is not (Errors.EAGAIN or Errors.ENOBUFS or Errors.ENOMEM))
            {
                // The shutdown is reported to the owner as a hang-up, like a client that has gone.
                Break();
                _ = shutdown(Descriptor, SHUT_RDWR);
            }

            return false;
        }

        next.Descriptor?.Dispose();
        _headSent += sent;
        _queuedBytes -= sent;
        if (_headSent < next.Frame.Length)
            return true;
        _output.Dequeue();
        _headSent = 0;
        return true;
    }

    /// <summary>
    /// ETOOMANYREFS: too many of this user's descriptors are in flight (RLIMIT_NOFILE), so that the kernel passes no more. The request is answered with that error.
    /// </summary>
    private void RefuseDescriptor(Outgoing head)
    {
        var failed = LinkAnswer.Read(head.Frame) with { Error = LinkErrno.TooManyInFlight, Body = default };
        _queuedBytes += failed.Size - head.Frame.Length;
        head.Descriptor?.Dispose();
        head.Descriptor = null;
        head.Frame = new byte[failed.Size];
        failed.WriteTo(head.Frame);
    }

    /// <summary>
    /// Sets what is to be reported. If reading was held back and may go on, it asks for Writable: there is room, so that a report comes at once and makes the owner
    /// read.
    /// </summary>
    private void Rearm()
    {
        var resume = _held && _unanswered < MaxUnanswered && _queuedBytes <= MaxQueuedBytes;
        if (resume)
            _held = false;
        var interest = _output.Count > 0 || resume ? Readiness.Readable | Readiness.Writable : Readiness.Readable;
        if (interest == _interest && !resume)
            return;
        _interest = interest;
        ChangeInterest(interest);
    }

    private void Break()
    {
        _broken = true;
        foreach (var outgoing in _output)
            outgoing.Descriptor?.Dispose();
        _output.Clear();
        _queuedBytes = 0;
        _headSent = 0;
    }

    private sealed class Outgoing(byte[] frame, ApplicationEnd? descriptor)
    {
        public byte[] Frame { get; set; } = frame;

        /// <summary>Passed with the first byte of the frame.</summary>
        public ApplicationEnd? Descriptor { get; set; } = descriptor;
    }
}
