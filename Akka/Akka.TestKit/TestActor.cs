using Akka.Actor;
using Akka.Util;

namespace Akka.TestKit;

/// <summary>The messages that control a test actor instead of reaching the test.</summary>
public static class TestActor
{
    /// <summary>Whether a message is not to reach the test.</summary>
    public delegate bool Ignore(object message);

    public static AutoPilot NoAutoPilot => TestKit.NoAutoPilot.Instance;

    public static AutoPilot KeepRunning => TestKit.KeepRunning.Instance;

    public static NullMessageEnvelope NullMessage => NullMessageEnvelope.Instance;

    public class SetIgnore(Ignore ignore) : INoSerializationVerificationNeeded
    {
        /// <summary>Null ignores nothing.</summary>
        public Ignore Ignore => ignore;
    }

    public class Watch(IActorRef actorToWatch) : INoSerializationVerificationNeeded
    {
        public IActorRef Actor => actorToWatch;
    }

    public class Unwatch(IActorRef actorToUnwatch) : INoSerializationVerificationNeeded
    {
        public IActorRef Actor => actorToUnwatch;
    }

    public class SetAutoPilot(AutoPilot autoPilot) : INoSerializationVerificationNeeded
    {
        public AutoPilot AutoPilot => autoPilot;
    }

    /// <summary>Makes the test actor create a child, whose reference then reaches the test.</summary>
    public class Spawn : INoSerializationVerificationNeeded
    {
        public readonly Props _props;
        public readonly Option<string> _name;
        public readonly Option<SupervisorStrategy> _supervisorStrategy;

        public Spawn(Props props, Option<string> name, Option<SupervisorStrategy> supervisorStrategy)
        {
            _props = props;
            _name = name;
            _supervisorStrategy = supervisorStrategy;
        }

        public IActorRef Apply(IActorRefFactory context) => _name.HasValue ? context.ActorOf(_props, _name.Value) : context.ActorOf(_props);
    }
}
