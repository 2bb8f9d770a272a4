import Files
import Tape

/// A tape under test, with what must be on it after the power went.
final class WatchedTape {
    let files: any FileSystem
    var tape: Cartridge!
    private(set) var content: TapeContent = []
    /// What was acknowledged last.
    private(set) var durable: TapeContent = []
    /// What may be there instead, once the step under way is done.
    private(set) var pending: [TapeContent] = []
    private var number = 0
    /// Whether the cartridge was made.
    private(set) var isMade = false

    init(_ files: any FileSystem) { self.files = files }

    /// Goes on from what a past has made, on another disk.
    init(_ files: any FileSystem, after past: WatchedTape) {
        self.files = files
        (content, durable, number, isMade) = (past.content, past.durable, past.number + 1_000_000, past.isMade)
    }

    /// What the program that goes on after a fault may have made durable.
    var later: [TapeContent] = []
    private var shorter: TapeContent?

    var allowed: [TapeContent] { [durable] + pending + later }
    /// What the program may take to be on the tape.
    var present: [TapeContent] { [content] + [shorter].compactMap { $0 } + pending }

    private func step(_ outcomes: [TapeContent], _ body: () throws -> Void) throws {
        pending = outcomes
        try body()
        if let last = outcomes.last { durable = last }
        pending = []
    }

    func create(_ design: CartridgeDesign) throws {
        content = design.partitions.map { _ in [] }
        durable = content
        tape = try CartridgeLab.make(on: files, design)
        isMade = true
    }

    func load() throws { tape = try Cartridge.open(CartridgeLab.path, on: files) }

    func unload() throws { try step([content]) { try tape.unload() } }

    func flush() throws { try step([content]) { try tape.flush() } }

    /// Writes records of these lengths, zeros for negative ones.
    func write(_ lengths: Int...) throws {
        for length in lengths {
            number += 1
            try add(length < 0 ? .zeros(-length) : .record(number, count: length))
        }
    }

    /// So many short records of zeros that are not of one run.
    func writeUnlike(_ count: Int) throws { for index in 0..<count { try add(.zeros(1 + index % 2)) } }

    func mark(immediate: Bool) throws {
        try add(.filemark)
        if !immediate { try flush() }
    }

    private func add(_ object: TapeObject) throws {
        let at = tape.position
        var shorter = content
        shorter[at.partition].removeSubrange(Int(at.object)...)
        self.shorter = shorter
        let isDurable = Int(at.object) < durable[at.partition].count
        try step(isDurable ? [shorter] : []) {
            if object == .filemark {
                _ = try tape.writeFilemarks(1, immediate: true)
            } else {
                _ = try tape.write(object.bytes)
            }
        }
        content = shorter
        content[at.partition].append(object)
    }

    func locate(_ object: Int, _ partition: Int = 0) throws {
        try tape.locate(object: Int64(object), partition: partition)
    }

    func erase() throws {
        let at = tape.position
        var shorter = content
        shorter[at.partition].removeSubrange(Int(at.object)...)
        try step([shorter]) { try tape.erase() }
        content = shorter
    }

    func format(_ partitions: [Int64]) throws {
        let empty: TapeContent = partitions.map { _ in [] }
        try step([empty]) { try tape.format(partitions: partitions) }
        content = empty
    }
}

/// Something that happens to a cartridge.
struct CartridgeStory: Sendable, CustomStringConvertible {
    var name: String
    var past: @Sendable (WatchedTape) throws -> Void
    var story: @Sendable (WatchedTape) throws -> Void
    var description: String { name }

    static let all: [CartridgeStory] = [
        CartridgeStory(name: "create", past: { _ in }) { tape in
            try tape.create(CartridgeLab.design(partitions: 2))
            try tape.write(600)
            try tape.mark(immediate: false)
            try tape.unload()
        },
        CartridgeStory(name: "append and fill nodes", past: made()) { tape in
            try tape.load()
            try tape.tape.locateEndOfData(partition: 0)
            try tape.write(700, -512, -512, 20_000)
            try tape.mark(immediate: true)
            try tape.writeUnlike(255)
            try tape.write(300)
            try tape.mark(immediate: false)
            try tape.write(500, 500)
            try tape.flush()
            try tape.writeUnlike(260)
            try tape.write(90)
            try tape.unload()
        },
        CartridgeStory(name: "overwrite in the middle", past: made(unlike: 700, records: 6)) { tape in
            try tape.load()
            try tape.locate(400)
            try tape.write(800, 900)
            try tape.mark(immediate: false)
            try tape.locate(3)
            try tape.write(400, 400, 400, 30_000)
            try tape.flush()
            try tape.locate(5)
            try tape.write(1000)
            try tape.locate(1)
            try tape.mark(immediate: true)
            try tape.write(2000)
            try tape.unload()
        },
        CartridgeStory(name: "overwrite from the beginning", past: made(unlike: 10, records: 8)) { tape in
            try tape.load()
            try tape.write(600, 600, 600)
            try tape.writeUnlike(300)
            try tape.mark(immediate: false)
            try tape.locate(0)
            try tape.write(5000)
            try tape.unload()
        },
        CartridgeStory(name: "what is not acknowledged is overwritten", past: made()) { tape in
            try tape.load()
            try tape.tape.locateEndOfData(partition: 0)
            let end = Int(tape.tape.position.object)
            try tape.write(3000, 3000, 3000)
            try tape.locate(end + 1)
            try tape.write(2000, 1000)
            try tape.flush()
            try tape.locate(end + 2)
            try tape.write(800)
            try tape.locate(end + 2)
            try tape.write(900)
            try tape.flush()
            try tape.unload()
        },
        CartridgeStory(name: "two partitions", past: made(partitions: 2)) { tape in
            try tape.load()
            try tape.locate(0, 1)
            try tape.write(1500, 1500)
            try tape.tape.locateEndOfData(partition: 0)
            try tape.write(2500, 2500)
            try tape.flush()
            try tape.locate(1, 1)
            try tape.write(700, 800)
            try tape.mark(immediate: false)
            try tape.locate(2, 0)
            try tape.write(650)
            try tape.flush()
            try tape.unload()
        },
        CartridgeStory(name: "load, erase, unload", past: made(records: 5)) { tape in
            for object in [4, 2, 0] {
                try tape.load()
                try tape.locate(object)
                try tape.erase()
                try tape.write(333)
                try tape.unload()
            }
        },
        CartridgeStory(name: "format anew", past: made(records: 5)) { tape in
            try tape.load()
            try tape.format([1 << 25, 1 << 26])
            try tape.locate(0, 1)
            try tape.write(444)
            try tape.mark(immediate: false)
            try tape.unload()
        },
        CartridgeStory(name: "attributes and the tab", past: made()) { tape in
            try tape.load()
            try tape.tape.setAttribute(0x0806, Array("TEST01L9".utf8))
            try tape.flush()
            try tape.tape.setWriteProtected(true)
            try tape.tape.setWriteProtected(false)
            try tape.tape.locateEndOfData(partition: 0)
            try tape.write(100)
            try tape.unload()
        },
        CartridgeStory(
            name: "append to a WORM cartridge",
            past: { tape in
                try tape.create(CartridgeLab.design(kind: .worm))
                try tape.write(300, 300)
                try tape.unload()
            },
            story: { tape in
                try tape.load()
                try tape.tape.locateEndOfData(partition: 0)
                try tape.write(300, 400)
                try tape.mark(immediate: false)
                try tape.write(500)
                try tape.unload()
            }),
    ]

    private static func made(
        partitions: Int = 1, unlike: Int = 0, records: Int = 3
    ) -> @Sendable (WatchedTape) throws -> Void {
        { tape in
            try tape.create(CartridgeLab.design(partitions: partitions))
            for _ in 0..<records { try tape.write(1200) }
            try tape.writeUnlike(unlike)
            for index in 0..<records { try tape.write(600 + 40 * index) }
            try tape.unload()
        }
    }
}

/// Runs stories with the power going at each write in turn.
struct CartridgeCutRuns {
    let story: CartridgeStory
    /// What the tested program sees instead of the disk.
    var through: @Sendable (SimulatedDisk) -> any FileSystem = { $0 }
    var losses: [SimulatedDisk.Loss] = [.none, .all, .torn(seed: 1), .torn(seed: 2), .torn(seed: 3), .torn(seed: 4)]
    var stopsAtFirst = false
    private(set) var cuts = 0
    private(set) var problems: [String] = []
    private let reader = TapeReader()

    init(_ story: CartridgeStory) { self.story = story }

    /// A settled disk on which the story's past has happened.
    static func past(_ story: CartridgeStory) throws -> (SimulatedDisk, WatchedTape) {
        let disk = SimulatedDisk()
        try CartridgeLab.folder(disk)
        let tape = WatchedTape(disk)
        try story.past(tape)
        tape.tape = nil
        disk.powerCut(.none)
        return (disk, tape)
    }

    mutating func run() throws {
        let (base, before) = try Self.past(story)
        var (call, ended) = (1, false)
        while !ended, problems.count < 10 {
            let disk = base.copy()
            disk.cutAt = call
            let tape = WatchedTape(through(disk), after: before)
            do {
                try story.story(tape)
                ended = true
            } catch {
                if !disk.isCut { problems.append("\(story.name), write \(call): failed without a cut: \(error)") }
            }
            for loss in losses {
                let cut = disk.copy()
                cut.powerCut(loss)
                cuts += 1
                if let text = look(cut, tape) {
                    problems.append("\(story.name), write \(call), \(loss): \(text)")
                    if stopsAtFirst { return }
                }
            }
            call += 1
        }
    }

    /// What is wrong with a tape after something happened to it; nil if it holds what it may, and goes on.
    func look(_ disk: SimulatedDisk, _ watched: WatchedTape) -> String? {
        do {
            guard try disk.kind(of: CartridgeLab.path) == .file else {
                return watched.isMade ? "the cartridge is gone" : nil
            }
            let tape = try Cartridge.open(CartridgeLab.path, on: disk)
            var differences: [String] = []
            var found: TapeContent?
            for content in watched.allowed where found == nil {
                if tape.identity.partitions.count == content.count {
                    if let text = reader.difference(tape, content) { differences.append(text) } else { found = content }
                } else {
                    differences.append("\(tape.identity.partitions.count) partitions")
                }
            }
            guard var found else { return differences.joined(separator: "; ") }
            // Everything goes on.
            try tape.setWriteProtected(false)
            try tape.locateEndOfData(partition: 0)
            for object in [TapeObject.record(99, count: 777), .zeros(12), .filemark, .record(98, count: 20_000)] {
                if object == .filemark {
                    _ = try tape.writeFilemarks(1, immediate: true)
                } else {
                    _ = try tape.write(object.bytes)
                }
                found[0].append(object)
            }
            if let text = reader.difference(tape, found) { return "gone on: \(text)" }
            try tape.unload()
            let again = try Cartridge.open(CartridgeLab.path, on: disk)
            if let text = reader.difference(again, found) { return "loaded again: \(text)" }
            guard again.findings.isEmpty else { return "loaded again: \(again.findings)" }
            again.abandon()
            return nil
        } catch { return "\(error)" }
    }
}
