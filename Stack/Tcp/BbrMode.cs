namespace Tapwire.Stack.Tcp;

/// <summary>The states of BBR's state machine (draft-ietf-ccwg-bbr, 4.3).</summary>
internal enum BbrMode : byte
{
    Startup,
    Drain,
    ProbeBwDown,
    ProbeBwCruise,
    ProbeBwRefill,
    ProbeBwUp,
    ProbeRtt,
}

/// <summary>BBR.ack_phase: what arriving acknowledgements tell about a bandwidth probe.</summary>
internal enum BbrAckPhase : byte
{
    Init,
    Refilling,
    ProbeStarting,
    ProbeFeedback,
    ProbeStopping,
}
