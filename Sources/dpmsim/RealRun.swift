import Engine
import Files
import Foundation
import Protection
import Units

/// The real machines of a run: where their files lie, and what came of them.
struct RealRun {
    let plane: RealPlane
    private let temporary: TemporaryFolder?
    private let clock: CivilClock
    private let names: [String]

    /// Nil if the scenario has none.
    /// - Parameter folder: nil for a temporary one, which goes at the end.
    init?(_ setting: Setting, folder given: String?) throws {
        guard setting.world.machines.contains(where: { $0.real != nil }) else {
            guard let given else { return nil }
            throw Complaint(
                object: "--data \(given)", cause: "the scenario has no real machines",
                action: "Say data: real for those whose bytes are to be files, or leave the option out")
        }
        clock = setting.clock
        names = setting.world.machines.map(\.name)
        temporary = given == nil ? try TemporaryFolder() : nil
        let folder = given.map(absolute) ?? temporary!.path
        do {
            plane = try RealPlane(
                world: setting.world, seed: setting.seed, clock: setting.clock, folder: folder,
                files: HostFiles(flushes: false))
        } catch {
            temporary?.remove()
            throw error
        }
    }

    /// What came of the real machines.
    struct Verdict {
        /// One line.
        var summary: String
        /// What is not as it must be, and what went wrong beneath.
        var differences: [String]
        /// What rotted because the script asked for it.
        var damage: [String]
        var faults: [String]
        var checks: [PointCheckRecord]
    }

    /// Holds every recovery point against what its machine's disks held then, and the books against the pool.
    func verdict(_ outcome: RunOutcome) throws(StorageFault) -> Verdict {
        try plane.finishDeleting()
        let points = try plane.verify()
        var differences = try plane.check() + plane.undetectedRot()
        let damage = points.filter { !$0.damaged.isEmpty }.map { point in
            "recovery point of \(point.machine) at \(clock.text(point.at)): " + point.damaged.joined(separator: "; ")
        }
        for point in points where !point.holds {
            differences.append(
                "recovery point of \(point.machine) at \(clock.text(point.at))"
                    + (point.source == .disk ? ": " : ", \(point.source.rawValue) copy: ")
                    + point.problems.joined(separator: "; "))
        }
        for recovery in plane.recoveries where !recovery.holds {
            differences.append(
                "recovery \(recovery.number) of \(recovery.machine) at \(clock.text(recovery.at)): "
                    + recovery.problems.joined(separator: "; "))
        }
        for machine in plane.realMachines {
            guard let replica = outcome.replicas.first(where: { $0.machine == machine.index }) else { continue }
            let (booked, held) = (replica.replica + replica.points, try plane.held(machine))
            if booked != held {
                differences.append("\(names[Int(machine.index)]): \(booked) are booked, its pool holds \(held)")
            }
        }
        let tapes = try plane.verifyTapes(outcome.tapeSets)
        differences += tapes.problems
        let count = plane.realMachines.count
        let failed = points.count { !$0.holds }
        let copies = points.count { $0.source != .disk }
        return Verdict(
            summary: "\(count) real machine\(count == 1 ? "" : "s"): \(points.count) recovery points"
                + (copies == 0 ? "" : " (\(copies) of them copies)") + " read back, "
                + "\(Bytes(points.reduce(0) { $0 + $1.compared }).rounded), "
                + (failed == 0 ? "each as its disks were" : "\(failed) of them not as their disks were")
                + recoveries
                + (tapes.sets == 0
                    ? ""
                    : "; \(tapes.sets) tape sets read back, \(Bytes(tapes.compared).rounded)"
                        + (tapes.problems.isEmpty ? ", each as its disks were" : ""))
                + (plane.leftovers == 0
                    ? "" : "; \(plane.leftovers) differencing disks were left behind by failures, found and merged")
                + (damage.isEmpty ? "" : "; \(damage.count) are damaged, as the script asked, and say so"),
            differences: differences, damage: damage,
            faults: plane.faults.map { "\($0.machine) at \(clock.text($0.at)): \($0.cause)" },
            checks: points.map { point in
                PointCheckRecord(
                    machine: Int32(names.firstIndex(of: point.machine) ?? 0), at: point.at, source: point.source,
                    finding: !point.holds ? .differs : point.damaged.isEmpty ? .verified : .damaged)
            })
    }

    private var recoveries: String {
        let all = plane.recoveries
        guard !all.isEmpty else { return "" }
        let failed = all.count { !$0.holds }
        let files = all.reduce(0) { $0 + $1.files }
        return "; \(all.count) recover\(all.count == 1 ? "y" : "ies"), "
            + (files == 0 ? "" : "\(files) file\(files == 1 ? "" : "s") among them, ")
            + (failed == 0 ? "each as its recovery point" : "\(failed) of them not as their recovery points")
    }

    /// Says what came of the real machines.
    /// - Throws: the end of the program if something is not as it must be.
    func judge(_ verdict: Verdict) throws {
        let terminal = Terminal.errors
        for fault in verdict.faults.prefix(20) { terminal.line(terminal.styled("fault", .red) + " \(fault)") }
        for damage in verdict.damage { terminal.line(terminal.styled("damaged", .yellow) + " \(damage)") }
        for difference in verdict.differences { terminal.line(terminal.styled("differs", .red) + " \(difference)") }
        terminal.line(verdict.summary)
        if !verdict.differences.isEmpty { throw Ending.expectationFailed }
    }

    func end() {
        try? plane.close()
        temporary?.remove()
    }
}
