namespace Tapwire.Stack.Tcp;

/// <summary>What BBR is doing (draft-ietf-ccwg-bbr, 4.3): the states of its state machine.</summary>
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

/// <summary>BBR.ack_phase: what acknowledgements tell about a probe.</summary>
internal enum BbrAckPhase : byte
{
    Init,
    Refilling,
    ProbeStarting,
    ProbeFeedback,
    ProbeStopping,
}
