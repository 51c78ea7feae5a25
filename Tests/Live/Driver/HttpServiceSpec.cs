using System.Net.Sockets;
using System.Text;
using Tapwire.Tests.Live.Support;
using Xunit;

namespace Tapwire.Tests.Live.Driver;

/// <summary>The driver's page for curl, and what is no request.</summary>
public abstract class HttpServiceSpecs(SharedDriver shared)
{
    private string Url => $"http://{shared.Driver.OwnHost}/";

    [SkippableFact]
    public void Curl_gets_the_page()
    {
        var page = Curl("-f", Url);
        Assert.StartsWith("tapwire\n", page, StringComparison.Ordinal);
        Assert.Contains("10.99.0.2/24", page, StringComparison.Ordinal);
        Assert.Contains($"you are      {LiveDriver.HostOf(shared.Driver.Peer)}:", page, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Head_answers_without_a_body() =>
        Assert.Equal("200 0", Curl("-I", "-o", "/dev/null", "-w", "%{http_code} %{size_download}", Url));

    [SkippableFact]
    public void Another_path_is_404() =>
        Assert.Equal("404", Curl("-o", "/dev/null", "-w", "%{http_code}", Url + "nothing"));

    [SkippableFact]
    public void Another_method_is_405() =>
        Assert.Equal("405", Curl("-o", "/dev/null", "-w", "%{http_code}", "-X", "DELETE", Url));

    [SkippableFact]
    public void Requests_one_after_the_other_share_a_connection() =>
        Assert.Equal("1 0 0 ", Curl("-w", "%{num_connects} ", "-o", "/dev/null", Url, "-o", "/dev/null", Url, "-o", "/dev/null", Url));

    [SkippableFact]
    public async Task Requests_in_one_segment_are_answered_in_their_order()
    {
        var answer = await AskAsync("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\nConnection: close\r\n\r\n");
        var first = answer.IndexOf("There is no /a here", StringComparison.Ordinal);
        var second = answer.IndexOf("HTTP/1.1 200 OK", StringComparison.Ordinal);
        var third = answer.IndexOf("There is no /b here", StringComparison.Ordinal);
        Assert.True(0 < first && first < second && second < third, answer);
    }

    [SkippableTheory]
    [InlineData("rubbish\r\n\r\n")]
    [InlineData("GET /\r\n\r\n")]
    [InlineData("GET / HTTP/9.9\r\n\r\n")]
    [InlineData(" \r\n\r\n")]
    public async Task A_bad_request_is_400_and_ends_the_connection(string request) =>
        Assert.StartsWith("HTTP/1.1 400 ", await AskAsync(request), StringComparison.Ordinal);

    [SkippableFact]
    public async Task A_request_without_end_is_431_and_ends_the_connection() =>
        Assert.StartsWith("HTTP/1.1 431 ", await AskAsync("GET / HTTP/1.1\r\nX: " + new string('x', 100_000)), StringComparison.Ordinal);

    /// <summary>Sends a request and reads up to the end of the connection, in order or by reset.</summary>
    private async Task<string> AskAsync(string request)
    {
        await using var connection = await shared.Driver.ConnectFromKernelAsync(LiveDriver.Http);
        await connection.WriteAsync(Encoding.ASCII.GetBytes(request));
        var answer = new MemoryStream();
        try
        {
            await connection.CopyToAsync(answer).WaitAsync(TimeSpan.FromSeconds(30));
        }
        catch (IOException e) when (e.InnerException is SocketException { SocketErrorCode: SocketError.ConnectionReset })
        {
            // The service has closed with bytes of ours unread.
        }

        return Encoding.ASCII.GetString(answer.ToArray());
    }

    private string Curl(params string[] arguments) => shared.Driver.Namespace.Exec("curl", ["-s", "--max-time", "30", .. arguments]);
}

[Collection(LiveCollection.Name)]
public sealed class HttpServiceSpec(SharedDriver shared) : HttpServiceSpecs(shared), IClassFixture<SharedDriver>;

/// <summary>The same over IPv6.</summary>
[Collection(LiveCollection.Name)]
public sealed class HttpServiceOverIpv6Spec(SharedDriverV6 shared) : HttpServiceSpecs(shared), IClassFixture<SharedDriverV6>;
