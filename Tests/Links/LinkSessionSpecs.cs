using System.Net.Sockets;
using Tapwire.Links;
using Tapwire.Links.Protocol;
using Tapwire.Posix;
using Tapwire.Stack;
using Tapwire.Stack.Buffers;
using Tapwire.Stack.Ip;
using Tapwire.Tests.Links.Support;
using Xunit;

namespace Tapwire.Tests.Links;

public sealed class LinkSessionSpecs : IDisposable
{
    private static readonly Sockaddr Remote = Sockaddr.From(new IpEndpoint(IpAddress.Parse("10.99.0.1"), 80));

    private readonly LinkHarness _harness = new();
    private readonly List<LinkRequest> _requests = [];

    public void Dispose() => _harness.Dispose();

    private static readonly LinkRequest[] Conversation =
    [
        new SocketRequest(1, SocketFamily.V4, LinkSocketType.Stream, 0),
        new ConnectRequest(2, 99, Remote, 1, false),
        new StatusRequest(3),
        new GetOptionRequest(4, 99, 1, 4, 4),
        new CloseRequest(5, 99),
    ];

    [Fact]
    public void Both_sides_greet_before_anything_else()
    {
        var (client, session) = _harness.Open();
        Assert.Equal(LinkHarness.Hello(), client.ReadAll());
        client.Send(LinkHarness.Hello());
        Assert.Equal(ReadResult.Empty, session.ReadRequests(_requests));
        Assert.Empty(_requests);
        Assert.Equal((uint)Environment.ProcessId, (uint)session.Peer.ProcessId);
        session.Dispose();
        client.Dispose();
    }

    [Fact]
    public void A_conversation_is_read_the_same_however_it_is_cut()
    {
        byte[] bytes = [.. LinkHarness.Hello(), .. Conversation.SelectMany(LinkHarness.Frame)];
        for (var cut = 0; cut <= bytes.Length; cut++)
        {
            var (client, session) = _harness.Open();
            _requests.Clear();
            foreach (var piece in new[] { bytes[..cut], bytes[cut..] })
            {
                if (piece.Length > 0)
                    client.Send(piece);
                Assert.Equal(ReadResult.Empty, session.ReadRequests(_requests));
            }

            Assert.Equal(Conversation, _requests);
            session.Dispose();
            client.Dispose();
        }
    }

    [Fact]
    public void A_conversation_is_read_byte_by_byte()
    {
        var (client, session) = _harness.Open();
        foreach (var one in LinkHarness.Hello().Concat(Conversation.SelectMany(LinkHarness.Frame)))
        {
            client.Send([one]);
            Assert.Equal(ReadResult.Empty, session.ReadRequests(_requests));
        }

        Assert.Equal(Conversation, _requests);
        session.Dispose();
        client.Dispose();
    }

    [Fact]
    public void Many_requests_at_once_are_given_in_batches()
    {
        var (client, session) = _harness.OpenGreeted();
        for (uint i = 0; i < 100; i++)
            client.Send(LinkHarness.Frame(new StatusRequest(i)));
        for (var calls = 0; session.ReadRequests(_requests) == ReadResult.Data; calls++)
            Assert.Equal((calls + 1) * LinkSession.MaxBatch, _requests.Count);
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (uint)i), _requests.Select(r => r.Id));
        session.Dispose();
        client.Dispose();
    }

    [Fact]
    public void Answers_come_in_the_order_in_which_they_were_sent_with_their_ids_and_errors()
    {
        var (client, session) = _harness.OpenGreeted();
        client.Send([.. Conversation.SelectMany(LinkHarness.Frame)]);
        session.ReadRequests(_requests);
        Assert.Equal(5, session.Unanswered);
        session.Send(_requests[2].Failed(StackError.TimedOut));
        session.Send(((CloseRequest)_requests[4]).Done());
        session.Send(((ConnectRequest)_requests[1]).Connected(Remote));
        Assert.Equal(2, session.Unanswered);
        var answers = LinkHarness.Answers(client.ReadAll());
        Assert.Equal([3u, 5u, 2u], answers.Select(a => a.Id));
        Assert.Equal([110, 0, 0], answers.Select(a => a.Error));
        Assert.Equal(Remote, answers[2].Address);
        session.Dispose();
        client.Dispose();
    }

    [Fact]
    public void A_descriptor_goes_with_the_answer_and_is_the_applications_alone()
    {
        var (client, session) = _harness.OpenGreeted();
        client.Send(LinkHarness.Frame(Conversation[0]));
        session.ReadRequests(_requests);
        using var link = StreamLink.Create(out var end);
        var passed = end.Descriptor;
        session.Send(((SocketRequest)_requests[0]).Created(end.Handle), end);
        Assert.Throws<ObjectDisposedException>(() => end.Descriptor);

        var (data, descriptor) = client.ReceiveWithDescriptor(1000);
        using var app = Descriptors.Adopt(descriptor);
        Assert.Equal(link.Handle, Assert.Single(LinkHarness.Answers(data)).Handle);
        Assert.Equal(link.Handle, app.Cookie());
        Assert.True(passed > 0);

        // The session's end leaves the socket alone; the application's close does not.
        session.Dispose();
        client.Dispose();
        var pool = new BufferPool();
        app.Send([5]);
        Assert.Equal([5], link.Drain(pool).Data);
        app.Close();
        Assert.Equal(ReadResult.Closed, link.Drain(pool).End);
    }

    [Fact]
    public void Descriptors_keep_their_order_among_other_answers()
    {
        var (client, session) = _harness.OpenGreeted();
        var handles = new List<ulong>();
        var links = new List<StreamLink>();
        for (uint i = 0; i < 20; i++)
        {
            session.Send(new StatusRequest(i).Status("{}"));
            links.Add(StreamLink.Create(out var end));
            handles.Add(end.Handle);
            session.Send(new SocketRequest(100 + i, SocketFamily.V4, LinkSocketType.Stream, 0).Created(end.Handle), end);
        }

        var bytes = new MemoryStream();
        var got = new List<ulong>();
        while (got.Count < 20)
        {
            var (data, descriptor) = client.ReceiveWithDescriptor(25);
            bytes.Write(data);
            if (descriptor < 0)
                continue;
            using var app = Descriptors.Adopt(descriptor);
            got.Add(app.Cookie());
        }

        bytes.Write(client.ReadAll());
        Assert.Equal(handles, got);
        Assert.Equal(handles, LinkHarness.Answers(bytes.ToArray()).Where(a => a.Type == LinkMessageType.Socket).Select(a => a.Handle));
        links.ForEach(link => link.Dispose());
        session.Dispose();
        client.Dispose();
    }

    [Fact]
    public void A_descriptor_that_the_client_never_takes_is_closed_with_the_session()
    {
        var (client, session) = _harness.OpenGreeted();
        client.Dispose();
        using var link = StreamLink.Create(out var end);
        session.Send(new SocketRequest(1, SocketFamily.V4, LinkSocketType.Stream, 0).Created(end.Handle), end);
        Assert.Equal(ReadResult.Closed, link.Read(new BufferPool(), 1, out _));
        session.Dispose();
        session.Send(new StatusRequest(1).Status("{}"));
    }

    [Fact]
    public void A_client_that_has_gone_is_a_closed_session_after_its_last_request()
    {
        var (client, session) = _harness.OpenGreeted();
        client.Send(LinkHarness.Frame(Conversation[1]));
        client.Dispose();
        Assert.Equal(ReadResult.Closed, session.ReadRequests(_requests));
        Assert.Single(_requests);
        session.Dispose();
        Assert.True(session.IsClosed);
    }

    [Fact]
    public void A_long_answer_is_sent_in_pieces()
    {
        var (client, session) = _harness.OpenGreeted();
        var text = new string('x', LinkProtocol.MaxAnswer - LinkProtocol.HeaderSize);
        client.Send(LinkHarness.Frame(Conversation[2]));
        session.ReadRequests(_requests);
        session.Send(((StatusRequest)_requests[0]).Status(text));
        session.Send(new CloseRequest(9, 1).Done());
        var bytes = new MemoryStream();
        while (session.QueuedBytes > 0)
        {
            bytes.Write(client.ReadAll());
            session.Flush();
        }

        bytes.Write(client.ReadAll());
        var answers = LinkHarness.Answers(bytes.ToArray());
        Assert.Equal(text, answers[0].Text);
        Assert.Equal(9u, answers[1].Id);
        session.Dispose();
        client.Dispose();
    }

    [Fact]
    public void A_client_that_does_not_read_its_answers_is_read_no_more_until_it_does()
    {
        var (client, session) = _harness.OpenGreeted();
        var frame = LinkHarness.Frame(new StatusRequest(1));
        var answer = new StatusRequest(1).Status(new string('x', 50_000));
        var asked = 0;
        for (var i = 0; i < 100; i++)
        {
            client.Send(frame);
            _requests.Clear();
            session.ReadRequests(_requests);
            asked += _requests.Count;
            _requests.ForEach(_ => session.Send(answer));
        }

        Assert.InRange(asked, 5, 20);
        Assert.InRange(session.QueuedBytes, LinkSession.MaxQueuedBytes, LinkSession.MaxQueuedBytes + 100_000);

        var got = new MemoryStream();
        while (asked < 100 || session.QueuedBytes > 0)
        {
            got.Write(client.ReadAll());
            session.Flush();
            _requests.Clear();
            session.ReadRequests(_requests);
            asked += _requests.Count;
            _requests.ForEach(_ => session.Send(answer));
        }

        got.Write(client.ReadAll());
        Assert.Equal(100, LinkHarness.Answers(got.ToArray()).Count);
        session.Dispose();
        client.Dispose();
    }

    /// <summary>A client that posts is answered nothing, and yet held back until its requests are handled.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Unanswered_requests_are_bounded(bool isPosted)
    {
        var (client, session) = _harness.OpenGreeted();
        var request = new SetOptionRequest(1, 1, 6, 1, new byte[4], isPosted);
        var frame = LinkHarness.Frame(request);
        for (var i = 0; i < LinkSession.MaxUnanswered + 50; i++)
        {
            client.Send(frame);
            session.ReadRequests(_requests);
        }

        Assert.Equal(LinkSession.MaxUnanswered, _requests.Count);
        session.Send(request.Done());
        session.ReadRequests(_requests);
        Assert.Equal(LinkSession.MaxUnanswered + 1, _requests.Count);
        session.Dispose();
        client.Dispose();
    }

    [Fact]
    public void A_posted_option_is_a_request_like_others_but_its_answer_stays_here()
    {
        var (client, session) = _harness.OpenGreeted();
        client.Send([.. LinkHarness.Frame(new SetOptionRequest(1, 1, 6, 1, new byte[4], IsPosted: true)), .. LinkHarness.Frame(new CloseRequest(2, 1))]);
        session.ReadRequests(_requests);
        Assert.Equal(2, session.Unanswered);
        session.Send(((SetOptionRequest)_requests[0]).Done());
        session.Send(((CloseRequest)_requests[1]).Done());
        Assert.Equal(0, session.Unanswered);
        Assert.Equal(2u, Assert.Single(LinkHarness.Answers(client.ReadAll())).Id);
        session.Dispose();
        client.Dispose();
    }

    [Fact]
    public void What_this_driver_does_not_know_is_answered_and_the_session_goes_on()
    {
        var (client, session) = _harness.OpenGreeted();
        var unknown = LinkHarness.Frame(new StatusRequest(7));
        unknown[4] = 250;
        var family = LinkHarness.Frame(new BindRequest(8, 1, Remote));
        family[24] = 44;
        client.Send([.. unknown, .. family, .. LinkHarness.Frame(Conversation[2])]);
        Assert.Equal(ReadResult.Empty, session.ReadRequests(_requests));
        Assert.Equal(Conversation[2], Assert.Single(_requests));
        Assert.Equal([(7u, 38), (8u, 97)], LinkHarness.Answers(client.ReadAll()).Select(a => (a.Id, a.Error)));
        session.Dispose();
        client.Dispose();
    }

    [Fact]
    public void A_client_of_another_version_is_told_ours_and_refused()
    {
        var (client, session) = _harness.Open();
        client.Send(LinkHarness.Hello(version: 2));
        var e = Assert.Throws<LinkProtocolException>(() => session.ReadRequests(_requests));
        Assert.Contains("version 2", e.Message, StringComparison.Ordinal);
        Assert.Equal(LinkHarness.Hello(), client.ReadAll());
        session.Dispose();
        client.Dispose();
    }

    [Fact]
    public void Random_bytes_give_one_protocol_exception_and_nothing_else()
    {
        var random = new Random(3);
        for (var round = 0; round < 500; round++)
        {
            var greeted = round % 2 == 0;
            var (client, session) = greeted ? _harness.OpenGreeted() : _harness.Open();
            var exceptions = 0;
            for (var i = 0; i < 20 && exceptions == 0; i++)
            {
                var bytes = new byte[random.Next(1, 400)];
                random.NextBytes(bytes);
                // Some lengths that are plausible, so that more than the length is tried.
                if (greeted && bytes.Length > 16 && i == 0)
                    BitConverter.TryWriteBytes(bytes, bytes.Length);
                client.Send(bytes);
                try
                {
                    while (session.ReadRequests(_requests) == ReadResult.Data)
                    {
                    }
                }
                catch (LinkProtocolException)
                {
                    exceptions++;
                }
            }

            Assert.Equal(1, exceptions);
            session.Dispose();
            client.Dispose();
        }
    }
}
