public import Jobs
import Kernel
public import Protection
public import Units

/// One run of a scenario: lets simulated time pass and writes what happens into a ledger.
///
/// A run is a function of the setting alone: same setting, same seed, same trace hash, in every process.
public final class Run {
    private var state: RunState
    /// The moment the scenario ends.
    public let horizon: SimTime

    /// - Parameters:
    ///   - real: has the bytes of machines that are real; without it they are modelled like the others.
    ///   - checksInvariants: proves conservation after every event; for tests, since it costs more than the run.
    public init(
        setting: Setting, ledger: any Ledger, real: (any LivingPlane)? = nil, checksInvariants: Bool = false
    ) {
        horizon = SimTime.start + setting.duration
        state = RunState(setting: setting, ledger: ledger, real: real, checksInvariants: checksInvariants)
        state.begin()
    }

    public var now: SimTime { state.agenda.now }
    public var eventCount: UInt64 { state.agenda.processedCount }

    /// Lets time pass up to `time`, or to the horizon if that is earlier.
    public func advance(until time: SimTime) { state.advance(until: min(time, horizon)) }

    /// Closes the books and proves them at the moment reached, before the horizon.
    public func stop() -> RunOutcome { state.outcome(at: state.agenda.now) }

    /// Runs to the horizon, closes the books and proves them.
    public func finish() -> RunOutcome {
        advance(until: horizon)
        return state.outcome(at: horizon)
    }
}
