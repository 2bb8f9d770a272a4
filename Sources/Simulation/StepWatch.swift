import Jobs
import Kernel
import Protection
import Units

/// A line of the script that waits for a job to get somewhere.
struct StepWatch {
    let line: Int
    let moment: JobMoment
    /// The transfer of which a share is awaited, and how many bytes it moves.
    var transfer: TransferID?
    var bytes: Int64 = 0
    /// The agenda's entry for the moment as it stands now.
    var ticket: Agenda.Ticket?
    var at = SimTime.never
    init(line: Int, moment: JobMoment) { (self.line, self.moment) = (line, moment) }
}

/// Lines of the script that come true at a step of a job. Where no line does, nothing of this runs.
extension RunState {
    /// A disk job came into another state.
    mutating func stepReached(_ j: Int) {
        guard let job = jobs[j] else { return }
        let step: JobMoment.Step? =
            switch job.steps.state {
            case .queued: .queue
            case .claiming: .claim
            case .snapshotting: .snapshot
            // Known once the transfer itself begins.
            case .transferring: nil
            case .applying: .apply
            case .pointing: .point
            case .releasing: .release
            case .completed, .failed, .cancelled: nil
            }
        if let step { reached(step, job.record.kind, job.machine) }
    }

    /// The transfer of a job began.
    mutating func transferBegan(_ transfer: TransferID, of bytes: Int64, _ kind: JobKind, _ machine: Ref<Machine>) {
        for w in watches.indices where matches(watches[w].moment, .transfer, kind, machine) {
            // Of two at once the first is awaited.
            if let earlier = watches[w].transfer, fluid.isActive(earlier) { continue }
            watches[w].transfer = transfer
            watches[w].bytes = bytes
            fluidChanged = true
        }
    }

    private mutating func reached(_ step: JobMoment.Step, _ kind: JobKind, _ machine: Ref<Machine>) {
        var left: [StepWatch] = []
        for watch in watches {
            if matches(watch.moment, step, kind, machine) {
                agenda.schedule(Event(.happening, watch.line), at: agenda.now)
            } else {
                left.append(watch)
            }
        }
        watches = left
    }

    private func matches(
        _ moment: JobMoment, _ step: JobMoment.Step, _ kind: JobKind, _ machine: Ref<Machine>
    ) -> Bool {
        moment.step == step && moment.machine == machine && (moment.kind ?? kind) == kind
            && moment.notBefore <= agenda.now
    }

    /// Moves the entries for shares of transfers to where they belong now that rates have changed.
    mutating func retimeWatches() {
        for w in watches.indices {
            guard let transfer = watches[w].transfer else { continue }
            var at = SimTime.never
            if fluid.isActive(transfer) {
                let moved = Double(watches[w].bytes) - fluid.remaining(transfer, at: nowSeconds)
                let missing = watches[w].moment.share.value * Double(watches[w].bytes) - moved
                let rate = fluid.rate(transfer)
                if missing <= 0 {
                    at = agenda.now
                } else if rate > 0, missing / rate < 9e9 {
                    at = agenda.now + SimDuration(roundingUp: missing / rate)
                }
            } else {
                watches[w].transfer = nil
            }
            guard at != watches[w].at else { continue }
            if let ticket = watches[w].ticket { agenda.cancel(ticket) }
            // Before the end of the transfer, if that is at the same moment.
            watches[w].ticket =
                at == .never ? nil : agenda.schedule(Event(.happening, watches[w].line), at: at, rank: .release)
            watches[w].at = at
        }
    }

    /// The line came true: it waits no longer.
    mutating func forgetWatch(line: Int) { watches.removeAll { $0.line == line } }
}
