import Files
import StoragePool

/// Runs stories with the power going at each write in turn.
struct CutRuns {
    let story: PoolStory
    /// Between cuts, in writes.
    var stride = 1
    var first = 1
    /// Begins so many writes before the story's end instead, if set.
    var lastWrites: Int?
    /// What the tested program sees instead of the disk.
    var through: @Sendable (SimulatedDisk) -> any FileSystem = { $0 }
    /// Whether the cleaning up at the next opening is cut as well, at each of so many writes; 0 for not at all.
    var secondStride = 0
    var losses: [SimulatedDisk.Loss] = [.none, .all, .torn(seed: 1), .torn(seed: 2), .torn(seed: 3)]
    var stopsAtFirst = false

    private(set) var cuts = 0
    private var aftermath = Look()
    var problems: [String] { aftermath.problems }

    init(_ story: PoolStory) { self.story = story }

    /// A settled disk on which the story's past has happened.
    static func past(_ story: PoolStory) throws -> (SimulatedDisk, Holdings) {
        let disk = SimulatedDisk()
        let pool = try Pool.create(
            at: PoolStory.path, on: disk, options: PoolStory.options, guids: SequentialGUIDs(seed: 1), time: 1)
        var holdings = Holdings()
        try story.past(pool, &holdings)
        try pool.close()
        // A moment of peace: all that was written has reached the medium.
        disk.powerCut(.none)
        return (disk, holdings)
    }

    mutating func run() throws {
        let (base, before) = try Self.past(story)
        var after = before
        do {
            let disk = base.copy()
            let pool = try Pool.open(PoolStory.path, on: disk)
            try story.story(pool, &after)
            try pool.close()
            if let lastWrites { first = max(1, disk.writeCalls - lastWrites) }
            aftermath.look(at: disk, "without a cut", allowed: [after])
        }
        var call = first
        var ended = false
        while !ended, problems.count < 20 {
            let disk = base.copy()
            disk.cutAt = call
            var told = before
            do {
                let pool = try Pool.open(PoolStory.path, on: through(disk))
                try story.story(pool, &told)
                try pool.close()
                ended = true
            } catch {
                if !disk.isCut {
                    aftermath.problems.append("\(story.name), write \(call): failed without a cut: \(error)")
                }
            }
            // Steps of a story that ended before the cut have happened.
            for loss in losses {
                let cut = disk.copy()
                cut.powerCut(loss)
                cuts += 1
                let name = "\(story.name), write \(call), \(loss)"
                if secondStride > 0 { try cutAgain(cut, name, told, after, ended) }
                aftermath.look(at: cut, name, allowed: ended ? [after] : steps(told, after))
                if stopsAtFirst, !problems.isEmpty { return }
            }
            call += stride
        }
    }

    /// What may be there after a cut: what the finished steps made, or that and the step under way.
    private func steps(_ told: Holdings, _ after: Holdings) -> [Holdings] {
        [told] + after.steps[told.steps.count...].prefix(1)
    }

    private mutating func cutAgain(
        _ disk: SimulatedDisk, _ name: String, _ told: Holdings, _ after: Holdings, _ ended: Bool
    ) throws {
        var second = 1
        while true {
            let again = disk.copy()
            again.cutAt = second
            do {
                try Pool.open(PoolStory.path, on: through(again)).close()
                return
            } catch {
                if !again.isCut {
                    aftermath.problems.append("\(name): does not open: \(error)")
                    return
                }
            }
            for loss in [.all, .torn(seed: UInt64(second))] as [SimulatedDisk.Loss] {
                let cut = again.copy()
                cut.powerCut(loss)
                cuts += 1
                aftermath.look(
                    at: cut, "\(name), opening cut at \(second), \(loss)", allowed: ended ? [after] : steps(told, after)
                )
            }
            second += secondStride
        }
    }
}

/// Looks at a disk after something went wrong, and gathers what is not as it must be.
struct Look {
    var problems: [String] = []
    let scratch = Buffer(count: 1 << 20)

    /// Opens the disk, compares, does the rest, and empties the pool.
    mutating func look(at disk: SimulatedDisk, _ name: String, allowed: [Holdings]) {
        do {
            let pool = try Pool.open(PoolStory.path, on: disk)
            var differences: [String] = []
            var found: Holdings?
            for holdings in allowed where found == nil {
                if let difference = holdings.difference(pool, scratch) {
                    differences.append(difference)
                } else {
                    found = holdings
                }
            }
            let findings = try pool.check()
            if !findings.isEmpty { problems.append("\(name), check: \(findings.prefix(4))") }
            try pool.close()
            guard var found else {
                problems.append("\(name): \(differences)")
                return
            }
            note(name + ", opened", disk)
            // Everything goes on: another backup of what is there, then it all ends.
            let next = try Pool.open(PoolStory.path, on: disk)
            for machine in found.machines.keys.sorted() where found.machines[machine]?.disks.isEmpty == false {
                found.machines[machine]?.write("a", 5 * 4096..<9 * 4096, seed: 4711)
                try found.backUp(next, machine, byList: false)
            }
            if let difference = found.difference(next, scratch) {
                problems.append("\(name), after a backup: \(difference)")
            }
            for machine in found.machines.keys.sorted() { try found.remove(next, machine) }
            if let difference = found.difference(next, scratch) { problems.append("\(name), emptied: \(difference)") }
            try next.close()
            note(name + ", emptied", disk)
        } catch { problems.append("\(name): \(error)") }
    }

    private mutating func note(_ name: String, _ disk: SimulatedDisk) {
        let found = PoolAudit.problems(disk, PoolStory.path, volumes: [PoolStory.path, "second"])
        if !found.isEmpty { problems.append("\(name): \(found.prefix(4))") }
    }
}
