import Protection
import Simulation
import Testing
import Units

/// What an operator does by hand, and what becomes of jobs, data and room.
@Suite("Operator")
struct OperatorTests {
    @Test("GRP-10 obeyed: a check by hand reads everything, also of a replica that is in order")
    func check() {
        var installation = Installation(machines: 2)
        installation.happens(.runCheck(Ref(0)), day: 2, hour: 10)
        let (book, outcome) = installation.run()
        #expect(book.jobs(.consistencyCheck).map(\.machine) == [0])
        #expect(book.incidents.map(\.checkedBytes) == [.gigabytes(50)])
        #expect(book.replicaChanges.filter { $0.machine == 0 }.map(\.state).suffix(2) == [.checkInProgress, .ok])
        #expect(outcome.replicas.allSatisfy { $0.state == .ok })
    }

    @Test("GRP-10 broken: a check by hand of a replica that is not there yet fails, and changes nothing")
    func checkTooEarly() {
        var installation = Installation(machines: 1)
        installation.setting.world.groups[0].replicaCreation = .at(.start + .days(3))
        installation.happens(.runCheck(Ref(0)), day: 2, hour: 10)
        let (book, _) = installation.run()
        #expect(book.jobs(.consistencyCheck, .failed).count == 1)
        #expect(book.replicaChanges.first?.state == .creationInProgress)
    }

    @Test("a backup by hand makes a recovery point beside the schedule's")
    func backup() {
        var installation = Installation(machines: 1)
        let before = installation.run().1.points.count
        installation.happens(.runBackup(Ref(0)), day: 6, hour: 10)
        #expect(installation.run().1.points.count == before + 1)
    }

    @Test("LIV-9 obeyed: the Summary Manager starts by hand, once while it runs, and again at midnight")
    func summary() {
        var installation = Installation(machines: 1)
        let before = installation.run().0.jobs(.summary).count
        installation.happens(.runSummaryManager(Ref(0)), day: 2, hour: 10)
        installation.happens(.runSummaryManager(Ref(0)), day: 2, hour: 10)
        #expect(installation.run().0.jobs(.summary).count == before + 1)
    }

    @Test("GRP-1 obeyed: a machine whose data are kept is backed up no more, and after its return only with a check")
    func keep() {
        var installation = Installation(machines: 2)
        installation.happens(.stopProtection(Ref(0), deletesData: false), day: 2, hour: 10, lasts: .days(2))
        let (book, outcome) = installation.run()
        let gap = book.jobs.filter {
            $0.machine == 0 && $0.due > .start + .days(2) + .hours(10) && $0.due < .start + .days(4) + .hours(10)
        }
        #expect(gap.isEmpty)
        #expect(book.missed.isEmpty)
        #expect(
            book.replicaChanges.filter { $0.machine == 0 }.map(\.state).suffix(4)
                == [.inactive, .inconsistent, .checkInProgress, .ok])
        #expect(outcome.points.contains { $0.machine == 0 && $0.at < .start + .days(3) })
    }

    @Test("GRP-1 obeyed: deleted data give their room back, on either kind of pool, also in the middle of a backup")
    func delete() {
        for kind in PoolVolume.Kind.allCases {
            for midway in [false, true] {
                var installation = Installation(machines: 2, pool: kind)
                let stop = Happening.stopProtection(Ref(0), deletesData: true)
                var moment = JobMoment(kind: .expressFull, step: midway ? .apply : .queue, machine: Ref(0))
                moment.notBefore = .start + .days(3)
                installation.setting.script = [ScriptLine(stop, .step(moment), lasts: nil)]
                let (book, outcome) = installation.run()
                for line in outcome.audit { #expect(line.holds, "\(kind), \(midway): \(line)") }
                #expect(outcome.replicas.map(\.machine) == [1] && outcome.points.allSatisfy { $0.machine == 1 })
                #expect(book.pool.last!.values[0] < book.pool.map { $0.values[0] }.max()!)
                #expect(book.jobs.filter { $0.machine == 0 && $0.due > .start + .days(3) + .hours(21) }.isEmpty)
            }
        }
    }
}
