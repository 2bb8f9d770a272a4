import Files
import Testing

@testable import DiskImages

/// Power cuts and faults at every call.
@Suite("The change tracker under power cuts and faults")
struct ChangeTrackerCrashTests {
    /// Two sessions with everything a tracker does; the power may go at any call.
    private static func play(_ story: TrackStory) throws(StorageFault) {
        try story.open()
        try story.write(3, 1)
        let first = try story.reference()
        try story.write(0, 2)
        try story.write(80, 3)
        try story.write(15, 4, count: 73_728)
        try story.device.flush()
        let second = try story.reference()
        try story.write(5, 5)
        _ = story.tracker.changes(since: first)
        try story.close()
        try story.open()
        try story.write(5, 6)
        try story.write(60, 7)
        try story.confirm(second)
        let third = try story.reference()
        try story.write(33, 8)
        try story.discard(0..<8192)
        try story.forget(third)
        try story.write(34, 9)
        try story.write(48, 10)
        let fourth = try story.reference()
        try story.write(49, 11)
        try story.tracker.save(story.image)
        try story.write(64, 12)
        try story.confirm(fourth)
        try story.write(2, 13)
        try story.device.flush()
        try story.close()
    }

    private static let losses: [SimulatedDisk.Loss] = [.none, .all] + (1...2).map { .torn(seed: $0) }

    @Test("after a power cut at any call, whatever is lost, every point tells all that changed", arguments: losses)
    func cuts(_ loss: SimulatedDisk.Loss) throws {
        let whole = TrackStory(TrackStory.newDisk(), seed: 1)
        try Self.play(whole)
        let calls = whole.disk.writeCalls
        #expect(calls > 60 && whole.problem(strict: true) == nil)
        for call in 1...calls {
            let story = TrackStory(TrackStory.newDisk(), seed: 1)
            story.disk.cutAt = call
            do throws(StorageFault) { try Self.play(story) } catch { #expect(error.id == "DISK-CUT", "call \(call)") }
            story.disk.powerCut(loss)
            story.stamp += 1
            // A clean mark says nothing of a stamp that the crash took.
            if let head = Self.head(story.disk), head.isClean { story.stamp = Int(head.image.stamp)! }
            try Self.goOn(story, "call \(call), \(loss)")
        }
    }

    private static func head(_ disk: SimulatedDisk) -> TrackHead? {
        guard let bytes = disk.contents("/vm/a.raw.track") else { return nil }
        let heads = (0..<2).compactMap { copy -> TrackHead? in
            guard bytes.count >= (copy + 1) * 4096 else { return nil }
            return try? TrackHead.decode(Array(bytes[copy * 4096..<(copy + 1) * 4096])).get()
        }
        return heads.max { $0.sequence < $1.sequence }
    }

    /// Opens what a cut left, checks all points, writes on, cuts again, and checks again.
    private static func goOn(_ story: TrackStory, _ place: String) throws {
        try story.open()
        #expect(story.problem(strict: true) == nil, "\(place)")
        try story.write(40, 21)
        let point = try story.reference()
        try story.write(41, 22)
        try story.write(9, 23)
        story.disk.powerCut(.torn(seed: 99))
        try story.open()
        #expect(story.problem(strict: true) == nil, "\(place), then cut again")
        guard case .ranges(let ranges, let isCoarse) = story.tracker.changes(since: point) else {
            Issue.record("\(place): the point after the cut is unknown")
            return
        }
        #expect(isCoarse && ranges == [0..<1 << 20, 2 << 20..<3 << 20], "\(place)")
    }

    @Test(
        "a call that fails makes the write fail or is survived; nothing is ever left out",
        arguments: [(5, false), (5, true), (28, false), (28, true)] as [(Int32, Bool)])
    func faults(_ code: Int32, _ forEver: Bool) throws {
        var call = 1
        while true {
            let story = TrackStory(TrackStory.newDisk(), seed: 1)
            story.disk.fault = .init(call: call, onlyWrites: false, code: code, forEver: forEver)
            var hasFailed = false
            do throws(StorageFault) { try Self.play(story) } catch { hasFailed = true }
            if !hasFailed, story.disk.calls < call { break }
            if story.tracker != nil {
                #expect(story.problem(strict: false) == nil, "call \(call) while open")
                // The story goes on where the fault was met once: more writes, a flush, another point.
                story.disk.fault = nil
                do throws(StorageFault) {
                    try story.write(70, 31)
                    try story.write(1, 32)
                    #expect(story.problem(strict: false) == nil, "call \(call) after it")
                    let point = try story.reference()
                    try story.write(71, 33)
                    #expect(story.problem(strict: false) == nil, "call \(call) after a point")
                    _ = point
                } catch {
                    #expect(["TRACK-DISTRUST", "TRACK-CLOSED"].contains(error.id), "call \(call): \(error)")
                }
            }
            for loss in [SimulatedDisk.Loss.none, .all, .torn(seed: UInt64(call))] {
                let later = TrackStory(story.disk.copy(), seed: 2)
                (later.known, later.order, later.unsure, later.touched) =
                    (story.known, story.order, story.unsure, story.touched)
                later.disk.powerCut(loss)
                later.stamp = Self.head(later.disk).flatMap { Int($0.image.stamp) } ?? 0
                try later.open()
                #expect(later.problem(strict: false) == nil, "call \(call), \(loss)")
            }
            // Neighbouring calls are alike, and each is a whole story: the early ones all, then every third.
            call += call < 40 ? 1 : 3
        }
        #expect(call > 80)
    }

    @Test("any byte of the file turned over gives more or nothing, never less")
    func rot() throws {
        let story = TrackStory(TrackStory.newDisk(), seed: 1)
        try story.open()
        let first = try story.reference()
        try story.write(3, 1)
        try story.write(50, 1)
        let second = try story.reference()
        try story.write(22, 1)
        // Both ends: unclean first, then clean.
        for isClean in [false, true] {
            if isClean { try story.close() }
            let length = story.disk.contents("/vm/a.raw.track")!.count
            var unknown = 0
            var step = 0
            while step < length {
                let rotten = TrackStory(story.disk.copy(), seed: 3)
                (rotten.known, rotten.order, rotten.stamp, rotten.touched) =
                    (story.known, story.order, story.stamp, story.touched)
                rotten.disk.flip("/vm/a.raw.track", byte: Int64(step), mask: UInt8(1 << (step % 8)))
                try rotten.open()
                #expect(rotten.problem(strict: false) == nil, "byte \(step), clean: \(isClean)")
                if case .unknown = rotten.tracker.changes(since: first) { unknown += 1 }
                // Every byte that means something, and some of the zeros.
                step += step < 512 || step >= 8192 && (step - 8192) % 512 < 64 ? 1 : 97
            }
            #expect(unknown == 0, "two copies of the head outlive the loss of one")
            let both = TrackStory(story.disk.copy(), seed: 3)
            (both.known, both.order, both.stamp, both.touched) =
                (story.known, story.order, story.stamp, story.touched)
            both.disk.flip("/vm/a.raw.track", byte: 9, mask: 1)
            both.disk.flip("/vm/a.raw.track", byte: 4096 + 700, mask: 1)
            try both.open()
            guard case .unknown = both.tracker.changes(since: second) else {
                Issue.record("a file without a head knows a point")
                return
            }
        }
    }
}
