import Kernel

/// What the agenda's events mean to the simulation. The raw values are part of the trace hash: never renumber.
enum EventKind: UInt16 {
    /// The next transfer ends.
    case transferEnd = 1
    /// A group's express fulls are due; subject: group.
    case groupDue = 2
    /// One machine's job is due; subject: machine, detail: purpose, argument: due time.
    case jobDue = 3
    /// A timed step of a disk job ended; subject: job, detail: input, argument: number of the step.
    case jobStep = 4
    /// An automatic consistency check is due; subject: machine.
    case automaticCheck = 5
    /// A group's scheduled consistency check; subject: group.
    case scheduledCheck = 6
    /// A group's backup window closes; subject: group.
    case windowEnd = 7
    /// Expired recovery points are pruned.
    case pruning = 8
    case summaryStart = 9
    case summaryEnd = 10
    case inventory = 11
    /// A line of the script comes true, or is repaired; subject: line.
    case happening = 12
    case repaired = 13
    /// Machines of a crashed node start elsewhere; subject: host.
    case failover = 14
    /// A tape goal is due; subject: group, detail: goal.
    case tapeDue = 15
    /// A timed step of a tape stream ended; subject: stream, detail: input, argument: stream's generation.
    case tapeStep = 16
    case onlineDue = 17
    /// A timed step of a copy job ended; subject: copy, argument: job id.
    case copyStep = 18
    /// Levels of pool and tapes are taken down.
    case sample = 19
    /// A throttle changes its rate; subject: throttle.
    case throttleChange = 20
    case secondaryDue = 21
    /// A storage migration's copy ended; subject: machine.
    case migrationEnd = 22
    /// A failed tape stream starts again; subject: stream, argument: its generation.
    case tapeRerun = 23
    /// The time of a group's scheduled checks is over; subject: group, argument: when they were due.
    case checkWindowEnd = 24
    /// The throttle of a recovery changes its rate; subject: recovery.
    case recoveryThrottle = 25
    /// A DPM server's lost database is there again; subject: server, detail: line of the script.
    case databaseRebuilt = 26
    /// A timed step of a recovery ended; subject: recovery, detail: input, argument: number of the step.
    case recoveryStep = 29
}

extension Event {
    init(_ kind: EventKind, _ subject: Int, detail: Int = 0, argument: Int64 = 0) {
        self.init(kind: kind.rawValue, detail: UInt16(detail), subject: Int32(subject), argument: argument)
    }
}
