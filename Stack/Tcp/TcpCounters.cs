using System.Reflection;

namespace Tapwire.Stack.Tcp;

/// <summary>
/// What TCP has counted since the stack was made. Names that Linux's SNMP tables (/proc/net/snmp Tcp, /proc/net/netstat TcpExt) have mean the same
/// here. Plain numbers, written by the stack's owner only; another thread may read values that are a moment old.
/// </summary>
public sealed class TcpCounters
{
    public long TcpInSegs;
    public long TcpOutSegs;
    public long TcpRetransSegs;
    public long TcpActiveOpens;
    public long TcpPassiveOpens;
    public long TcpAttemptFails;
    public long TcpEstabResets;
    public long TcpOutRsts;

    /// <summary>Resets that were due but held back by the rate limit.</summary>
    public long TcpOutRstsRateLimited;

    // Malformed or misdirected segments
    public long TcpInErrs;
    public long TcpInTruncated;
    public long TcpInBadOffset;
    public long TcpInCsumErrors;
    public long TcpInBadOptions;
    public long TcpInToGroup;

    /// <summary>Segments whose source no connection can have: unspecified, group, broadcast, or port 0 on either side.</summary>
    public long TcpInBadAddress;

    /// <summary>Segments without SYN, ACK and RST, or with SYN and FIN.</summary>
    public long TcpInBadFlags;

    // Handshake
    public long TcpExtListenOverflows;
    public long TcpExtListenDrops;
    public long TcpExtTCPReqQFullDrop;

    /// <summary>Acknowledgements that made no connection because the listener waits for data (TCP_DEFER_ACCEPT).</summary>
    public long TcpExtTCPDeferAcceptDrop;
    public long TcpExtTCPReqQFullDoCookies;
    public long TcpExtSyncookiesSent;
    public long TcpExtSyncookiesRecv;
    public long TcpExtSyncookiesFailed;

    /// <summary>Segments dropped because they came before the one with their connection's cookie.</summary>
    public long TcpInAheadOfCookie;
    public long TcpExtTCPTimeoutSynAck;
    public long TcpExtEmbryonicRsts;
    public long TcpSocketsRefused;

    // TCP Fast Open
    public long TcpExtTCPFastOpenActive;
    public long TcpExtTCPFastOpenActiveFail;
    public long TcpExtTCPFastOpenPassive;
    public long TcpExtTCPFastOpenPassiveFail;
    public long TcpExtTCPFastOpenListenOverflow;
    public long TcpExtTCPFastOpenCookieReqd;

    // Sequence checks
    public long TcpExtPAWSEstab;
    public long TcpExtTCPChallengeACK;
    public long TcpExtTCPSYNChallenge;
    public long TcpExtTCPACKSkipped;
    public long TcpInOutOfWindow;
    public long TcpInBadAck;
    public long TcpExtTCPOldAck;

    // Receiver
    public long TcpExtDelayedACKs;
    public long TcpExtTCPOFOQueue;
    public long TcpExtOfoPruned;

    /// <summary>Segments refused because memory was used up; the times that it came near that; and connections refused for it.</summary>
    public long TcpExtTCPRcvQDrop;
    public long TcpExtTCPMemoryPressures;
    public long TcpMemoryRefused;
    public long TcpExtTCPRcvCoalesce;
    public long TcpExtTCPDSACKOldSent;
    public long TcpInDuplicateBytes;
    public long TcpInBeyondWindow;
    public long TcpInDiscarded;

    /// <summary>Segments with data in a packet marked "congestion experienced" (RFC 3168), and congestion windows reduced because the peer echoed a
    /// mark.</summary>
    public long TcpInMarked;
    public long TcpEcnWindowReductions;
    public long TcpInWindowUpdates;

    /// <summary>Segments that moved the urgent pointer forward.</summary>
    public long TcpInUrgent;

    // Sender
    public long TcpExtTCPTimeouts;
    public long TcpExtTCPLossProbes;
    public long TcpExtTCPLossProbeRecovery;
    public long TcpExtTCPFastRetrans;
    public long TcpExtTCPSlowStartRetrans;
    public long TcpExtTCPRenoRecovery;
    public long TcpExtTCPSackRecovery;
    public long TcpExtTCPSackRecoveryFail;
    public long TcpExtTCPSACKDiscard;

    /// <summary>The peer has reneged on a SACK report (RFC 2018, 8).</summary>
    public long TcpExtTCPSACKReneging;

    /// <summary>A retransmission was lost again.</summary>
    public long TcpExtTCPLostRetransmit;

    /// <summary>The peer has reported a duplicate (RFC 2883).</summary>
    public long TcpExtTCPDSACKRecv;

    /// <summary>Recoveries and time-outs that proved needless and were undone.</summary>
    public long TcpExtTCPFullUndo;
    public long TcpExtTCPSpuriousRTOs;
    public long TcpExtTCPWinProbe;

    /// <summary>Paths that seemed to drop large packets; path MTU probes that passed; and probes that did not (RFC 4821).</summary>
    public long TcpMtuBlackHoles;
    public long TcpExtTCPMTUPSuccess;
    public long TcpExtTCPMTUPFail;
    public long TcpExtTCPKeepAlive;

    // Ends
    public long TcpExtTCPAbortOnData;
    public long TcpExtTCPAbortOnClose;
    public long TcpExtTCPAbortOnTimeout;
    public long TcpExtTCPAbortOnLinger;
    public long TcpExtTW;
    public long TcpExtTWRecycled;
    public long TcpExtTCPTimeWaitOverflow;
    public long TcpInIcmpIgnored;

    private static readonly FieldInfo[] Fields = typeof(TcpCounters).GetFields(BindingFlags.Public | BindingFlags.Instance);

    /// <summary>All counters with their names, in the order of this file.</summary>
    public IEnumerable<(string Name, long Value)> All()
    {
        foreach (var field in Fields)
            yield return (field.Name, (long)field.GetValue(this)!);
    }
}
