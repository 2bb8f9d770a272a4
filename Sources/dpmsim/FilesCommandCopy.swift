import ArgumentParser
import DiskImages
import Files
import Foundation
import GuestFiles
import Units

/// `dpmsim files cp`: files and folders out of a guest.
struct FilesCopy: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cp", abstract: "Recover files and folders of a guest into a folder.",
        discussion: """
            They keep names, times, links and holes; alternate streams become files NAME:STREAM beside them. Each has its name when it is
            whole. What is deleted is never recovered. Exit status 1 if --skip-unreadable had to leave something out.
            """)

    /// Tells the reading process which name nothing has.
    private static let staging = "DPMSIM_FILES_STAGING"

    @OptionGroup var options: FilesOptions
    @OptionGroup var volume: VolumeOptions
    @Argument(help: "Files and folders, from the volume's root.") var paths: [String]
    @Option(
        name: .customLong("to"), help: ArgumentHelp("The folder they come to lie in.", valueName: "folder"),
        completion: .directory)
    var target: String
    @Flag(help: "Replace files of these names, once the new ones are whole.") var force = false
    @Flag(help: "Leave out what cannot be read, and tell of it, rather than recover nothing.") var skipUnreadable =
        false
    @Flag(help: "Leave alternate streams out.") var noStreams = false

    private struct LeftOutFact: Encodable { var path: String, fault: StorageFaultFact }
    private struct Facts: Encodable {
        var files: Int, folders: Int, links: Int, streams: Int, bytes: Int64
        var leftOut: [LeftOutFact]
    }

    func run() throws {
        let folder = absolute(target)
        let own = ".dpmsim-\(HostGUIDs().next()).unfinished"
        try options.reading(
            environment: [Self.staging: own], after: { FileRecovery.clear(target: folder, staging: own) }
        ) { disk, worker in
            let clock = WallClock()
            let opened = try volume.open(disk)
            let name = ProcessInfo.processInfo.environment[Self.staging] ?? own
            var recovery = FileRecovery(opened, into: folder, staging: name)
            (recovery.replaces, recovery.skipsUnreadable, recovery.keepsStreams) = (force, skipUnreadable, !noStreams)
            let facts = try recovery.run(paths) { done, total in
                worker.tell(done: done, total: total)
                return true
            }
            if options.json {
                try JSONOutput.print(
                    Facts(
                        files: facts.files, folders: facts.folders, links: facts.links, streams: facts.streams,
                        bytes: facts.bytes,
                        leftOut: facts.leftOut.map { LeftOutFact(path: $0.path, fault: StorageFaultFact($0.fault)) }))
            } else {
                for note in opened.notes { Terminal.errors.line("note: " + note) }
                for one in facts.leftOut {
                    Terminal.errors.line("left out: \(printable(one.path)): \(printable(one.fault.cause))")
                }
                Terminal.output.line(
                    "\(facts.files) files, \(facts.folders) folders, \(facts.links) links, \(facts.streams) streams with \(Bytes(facts.bytes).rounded) recovered in \(SimDuration(roundingUp: clock.seconds).rounded)."
                )
            }
            if !facts.leftOut.isEmpty { throw Ending.expectationFailed }
        }
    }
}
