import ArgumentParser
import DiskImages
import Files
import Foundation
import GuestFiles
import Units

/// A name in a guest's volume, as `--json` gives it.
struct EntryFact: Encodable {
    var path: String, kind: String, number: UInt64, size: Int64
    var modified: String?, accessed: String?, changed: String?, created: String?
    var mode: String?, owner: UInt32?, group: UInt32?
    var attributes: UInt32?
    var target: String?
    /// Why its content cannot be had.
    var obstacle: String?

    init(_ entry: GuestEntry, path: String) {
        (self.path, kind, number, size) = (path, entry.kind.rawValue, entry.number, entry.size)
        let text = { (time: GuestTime?) in time.map(Self.text) }
        (modified, accessed) = (text(entry.modified), text(entry.accessed))
        (changed, created) = (text(entry.changed), text(entry.created))
        mode = entry.mode.map { String($0, radix: 8) }
        (owner, group, attributes) = (entry.owner, entry.group, entry.attributes)
        (target, obstacle) = (entry.target, entry.obstacle)
    }

    /// `2026-01-05T20:15:03.25Z`.
    private static func text(_ time: GuestTime) -> String {
        let whole = timeText(time.seconds)
        guard time.nanoseconds > 0 else { return whole }
        var digits = String(String(Int(time.nanoseconds) + 1_000_000_000).dropFirst())
        while digits.hasSuffix("0") { digits.removeLast() }
        return whole.dropLast() + "." + digits + "Z"
    }

    /// One line for people.
    static func cells(_ entry: GuestEntry, _ shown: String) -> [String] {
        let mark =
            switch entry.kind {
            case .file: ""
            case .folder: "/"
            case .link: " -> " + printable(entry.target ?? "")
            case .other: " (special)"
            }
        let size = entry.kind == .file ? Bytes(entry.size).rounded : ""
        let time = entry.modified.map { readableTime(timeText($0.seconds)) } ?? ""
        return [size, time, printable(shown) + mark + (entry.obstacle.map { "  [\($0)]" } ?? "")]
    }
}

/// `dpmsim files volumes`: what a disk is divided into.
struct FilesVolumes: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "volumes", abstract: "Tell the volumes of a disk, what is in them, and whether it can be read.")

    @OptionGroup var options: FilesOptions

    private struct Fact: Encodable {
        var number: Int, start: Int64, length: Int64, type: String, name: String, kind: String
        var isReadable: Bool
        var label: String?
        var clusterSize: Int64?
        var notes: [String]
    }
    private struct Facts: Encodable {
        var scheme: String, size: Int64, sectorSize: Int
        var notes: [String]
        var volumes: [Fact]
    }

    func run() throws {
        try options.reading { disk, worker in
            var facts = Facts(
                scheme: disk.table.scheme.rawValue, size: disk.device.size, sectorSize: disk.device.sectorSize,
                notes: disk.table.notes, volumes: [])
            for volume in try disk.volumes() {
                worker.tell()
                var fact = Fact(
                    number: volume.number, start: volume.range.lowerBound,
                    length: volume.range.upperBound - volume.range.lowerBound, type: volume.type, name: volume.name,
                    kind: volume.kind.rawValue, isReadable: volume.kind.isReadable,
                    notes: volume.kind.obstacle.map { ["it " + $0] } ?? [])
                if volume.kind.isReadable {
                    do throws(StorageFault) {
                        let opened = try disk.open(volume)
                        (fact.label, fact.clusterSize) = (opened.label, opened.clusterSize)
                        fact.notes += opened.notes
                    } catch {
                        // What is wrong with one volume says nothing about the others.
                        fact.isReadable = false
                        fact.notes.append("\(error.id): \(error.cause)")
                    }
                }
                facts.volumes.append(fact)
            }
            if options.json { return try JSONOutput.print(facts) }
            tell(facts)
        }
    }

    private func tell(_ facts: Facts) {
        let out = Terminal.output
        let scheme = ["gpt": "GUID partition table", "mbr": "master boot record", "none": "no partition table"]
        out.line("\(Bytes(facts.size)), \(scheme[facts.scheme] ?? facts.scheme)")
        for note in facts.notes { out.line("  " + note) }
        let rows = facts.volumes.map {
            [
                "\($0.number)", "\($0.start)", Bytes($0.length).rounded, $0.kind, $0.isReadable ? "yes" : "no",
                printable($0.label ?? $0.name),
            ]
        }
        guard !rows.isEmpty else { return out.line("There are no volumes.") }
        let lines = table([["volume", "at byte", "size", "holds", "readable", "label"]] + rows, right: [0, 1, 2])
        out.line(out.styled(lines[0], .bold))
        for (line, fact) in zip(lines.dropFirst(), facts.volumes) {
            out.line(line)
            for note in fact.notes { out.line("        " + printable(note)) }
        }
    }
}

/// `dpmsim files ls`: what is in a folder.
struct FilesList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List a folder of a guest, or tell what a file is.",
        discussion: "Times are UTC. What is deleted is not listed.")

    @OptionGroup var options: FilesOptions
    @OptionGroup var volume: VolumeOptions
    @Argument(help: "The folder or file, from the volume's root.") var path = "/"

    func run() throws {
        try options.reading { disk, worker in
            let opened = try volume.open(disk)
            worker.tell()
            let entries = try opened.list(path)
            if options.json {
                return try JSONOutput.print(entries.map { EntryFact($0, path: $0.name) })
            }
            let out = Terminal.output
            for note in opened.notes { Terminal.errors.line("note: " + note) }
            table(entries.map { EntryFact.cells($0, $0.name) }, right: [0]).forEach { out.line($0) }
        }
    }
}

/// `dpmsim files find`: names below a folder.
struct FilesFind: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "find", abstract: "Find files of a guest by their names.",
        discussion: "Exit status 1 if folders were left out as --skip-unreadable allows.")

    enum Sort: String, CaseIterable, ExpressibleByArgument { case file, folder, link, other }

    @OptionGroup var options: FilesOptions
    @OptionGroup var volume: VolumeOptions
    @Argument(help: "Where to begin, from the volume's root.") var path = "/"
    @Option(help: ArgumentHelp("Of the name: * and ? stand for any, [a-z] for one of these.", valueName: "pattern"))
    var name: String?
    @Option(help: "file, folder, link or other.") var kind: Sort?
    @Option(help: ArgumentHelp("Of this size or larger.", valueName: "bytes")) var larger: ByteCount?
    @Flag(help: "Go on where a folder cannot be read.") var skipUnreadable = false

    private struct Facts: Encodable {
        var found: [EntryFact]
        var leftOut: [StorageFaultFact]
    }

    func run() throws {
        try options.reading { disk, worker in
            let opened = try volume.open(disk)
            for note in opened.notes where !options.json { Terminal.errors.line("note: " + note) }
            var facts = Facts(found: [], leftOut: [])
            let ignoresCase = opened.facts.kind.ignoresCase
            let flags: Int32 = ignoresCase ? 1 << 4 : 0
            let start = try opened.entry(at: path)
            let skip: ((StorageFault) -> Void)? =
                skipUnreadable
                ? { fault in
                    facts.leftOut.append(StorageFaultFact(fault))
                    if !options.json { Terminal.errors.line("left out: \(printable(fault.description))") }
                } : nil
            var visited = 0
            try opened.walk(start, path, skipping: skip) { place, entry in
                visited += 1
                if visited % 64 == 0 { worker.tell() }
                let isWanted =
                    (name.map { fnmatch($0, entry.name, flags) == 0 } ?? true)
                    && (kind.map { $0.rawValue == entry.kind.rawValue } ?? true)
                    && (larger.map { entry.kind == .file && entry.size >= $0.count } ?? true)
                if isWanted, options.json {
                    facts.found.append(EntryFact(entry, path: place))
                } else if isWanted {
                    Terminal.output.line(EntryFact.cells(entry, place)[2])
                }
                return true
            }
            if options.json { try JSONOutput.print(facts) }
            if !facts.leftOut.isEmpty { throw Ending.expectationFailed }
        }
    }
}
