import Engine
import Files
import Foundation
import Protection
import Units

/// The real machines of a run: where their files lie, and what came of them.
struct RealRun {
    let plane: RealPlane
    private let folder: String
    private let isTemporary: Bool
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
        isTemporary = given == nil
        folder = try given.map(absolute) ?? Self.temporary()
        do {
            plane = try RealPlane(
                world: setting.world, seed: setting.seed, clock: setting.clock, folder: folder, files: HostFiles())
        } catch {
            if isTemporary { try? FileManager.default.removeItem(atPath: folder) }
            throw error
        }
    }

    private static func temporary() throws -> String {
        var template = Array((FileManager.default.temporaryDirectory.path + "/dpmsim-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else {
            throw Complaint(
                object: FileManager.default.temporaryDirectory.path, cause: "no temporary folder can be made there",
                action: "Name a folder with --data", isFault: true)
        }
        return template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    /// Holds every recovery point against what its machine's disks held then, and says what came of it.
    /// - Throws: the end of the program if one differs, or something went wrong beneath.
    func judge(_ outcome: RunOutcome) throws {
        let terminal = Terminal.errors
        let verdicts = try plane.verify()
        var booked = 0
        for machine in plane.realMachines {
            guard let replica = outcome.replicas.first(where: { $0.machine == machine.index }) else { continue }
            let (model, held) = (replica.replica + replica.points, try plane.held(machine))
            guard model != held else { continue }
            booked += 1
            terminal.line(
                terminal.styled("books", .red)
                    + " \(names[Int(machine.index)]): \(model) are booked, its pool holds \(held)")
        }
        for fault in plane.faults.prefix(20) {
            terminal.line(
                terminal.styled("fault", .red) + " \(fault.machine) at \(clock.text(fault.at)): \(fault.cause)")
        }
        for verdict in verdicts where !verdict.holds {
            terminal.line(
                terminal.styled("differs", .red)
                    + " recovery point of \(verdict.machine) at \(clock.text(verdict.at)): "
                    + verdict.problems.joined(separator: "; "))
        }
        let bytes = Bytes(verdicts.reduce(0) { $0 + $1.compared })
        let failed = verdicts.count { !$0.holds }
        terminal.line(
            "\(plane.realMachines.count) real machine\(plane.realMachines.count == 1 ? "" : "s"): \(verdicts.count) recovery points read back, \(bytes.rounded), "
                + (failed == 0 ? "each as its disks were" : "\(failed) of them not as their disks were"))
        if failed > 0 || booked > 0 { throw Ending.expectationFailed }
    }

    func end() {
        try? plane.close()
        if isTemporary { try? FileManager.default.removeItem(atPath: folder) }
    }
}
