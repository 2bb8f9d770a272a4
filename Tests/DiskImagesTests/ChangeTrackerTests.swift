import Files
import Foundation
import Synchronization
import Testing

@testable import DiskImages

@Suite("The change tracker")
struct ChangeTrackerTests {
    private static func fault(_ body: () throws(StorageFault) -> Void) -> String? {
        do throws(StorageFault) {
            try body()
            return nil
        } catch { return error.id }
    }

    @Test("random writes, points, saves and reopenings agree with a plain set of blocks", arguments: 1...6)
    func model(_ seed: Int) throws {
        var random = TrackRandom(UInt64(seed))
        let story = TrackStory(TrackStory.newDisk(), seed: UInt64(seed), granularity: 65_536)
        try story.open()
        // By point, the blocks written since; exact as long as nothing crashes.
        var written: [(id: GUID, blocks: Set<Int>)] = []
        for _ in 0..<80 {
            switch random.next(20) {
            case 0..<13:
                let sector = random.next(Int(TrackStory.size) / 512)
                let count = min(Int(TrackStory.size) / 512 - sector, 1 + random.next(random.next(8) == 0 ? 4000 : 300))
                let offset = sector * 512
                let bytes = count * 512
                if random.next(5) == 0 {
                    try story.discard(Int64(offset)..<Int64(offset + bytes))
                } else {
                    try story.write([UInt8](repeating: UInt8(random.next(256)), count: bytes), at: Int64(offset))
                }
                for index in written.indices {
                    written[index].blocks.formUnion(offset / 65_536...(offset + bytes - 1) / 65_536)
                }
            case 13, 14:
                // The tracker makes room by itself; the model follows it.
                if written.count == TrackHead.pointLimit {
                    story.order.removeAll { $0 == written[1].id }
                    written.remove(at: 1)
                }
                written.append((try story.reference(), []))
            case 15 where !written.isEmpty:
                let place = random.next(written.count)
                try story.confirm(written[place].id)
                written.removeFirst(place)
            case 16 where !written.isEmpty:
                let place = random.next(written.count)
                try story.forget(written[place].id)
                written.remove(at: place)
            case 17:
                story.stamp += 1
                try story.tracker.save(story.image)
            case 18:
                try story.close()
                try story.open()
                #expect(story.tracker.opening == .afterCleanEnd, "seed \(seed)")
            default:
                try story.device.flush()
            }
            #expect(story.tracker.points.map(\.id) == written.map(\.id), "seed \(seed)")
            for (id, blocks) in written {
                let expected = blocks.sorted().reduce(into: [Range<Int64>]()) { ranges, block in
                    let start = Int64(block) * 65_536
                    let end = min(start + 65_536, TrackStory.size)
                    if let last = ranges.last, last.upperBound == start {
                        ranges[ranges.count - 1] = last.lowerBound..<end
                    } else {
                        ranges.append(start..<end)
                    }
                }
                #expect(story.tracker.changes(since: id) == .ranges(expected, isCoarse: false), "seed \(seed)")
                let part: Range<Int64> = 1_000_000..<3_000_000
                let clipped = expected.map { $0.clamped(to: part) }.filter { !$0.isEmpty }
                #expect(
                    story.tracker.changes(since: id, in: part) == .ranges(clipped, isCoarse: false), "seed \(seed)")
            }
        }
        #expect(story.problem(strict: true) == nil, "seed \(seed)")
    }

    @Test("what cannot be known is said to be unknown, with its reason")
    func unknown() throws {
        let disk = TrackStory.newDisk()
        let guids = SequentialGUIDs(seed: 7)
        let path = "/vm/b.track"
        let linkage = guids.next()
        let image = TrackedImage(size: 1 << 20, linkage: linkage, identity: "8:17", stamp: "t1")
        let point: GUID
        do {
            let tracker = try ChangeTracker.open(path, files: disk, image: image, guids: guids)
            #expect(tracker.opening == .fresh("there was no track file"))
            #expect(tracker.changes(since: linkage) == .unknown("there was no track file"))
            point = try tracker.reference { () throws(StorageFault) in }.id
            try tracker.begin(0..<512)
            tracker.end()
            #expect(Self.fault { () throws(StorageFault) in try tracker.confirm(linkage) } == "TRACK-POINT")
            #expect(
                Self.fault { () throws(StorageFault) in
                    _ = try ChangeTracker.open(path, files: disk, image: image, guids: guids)
                } == "TRACK-BUSY")
            try tracker.close(image)
            #expect(Self.fault { () throws(StorageFault) in try tracker.begin(0..<512) } == "TRACK-CLOSED")
        }
        let changes: [(String, (inout TrackedImage) -> Void)] = [
            ("the image was changed without being tracked", { $0.stamp = "t2" }),
            ("the image is another file than the one that was tracked", { $0.identity = "8:18" }),
            ("the image's linkage is not the one it had when it was tracked", { $0.linkage = nil }),
            ("the image has 2097152 bytes and had 1048576 when it was tracked", { $0.size = 2 << 20 }),
        ]
        for (reason, change) in changes {
            let copy = disk.copy()
            var other = image
            change(&other)
            let tracker = try ChangeTracker.open(path, files: copy, image: other, guids: guids)
            #expect(tracker.changes(since: point) == .unknown(reason))
            tracker.abandon()
            // What did not fit once is not believed later, when it seems to fit again.
            let again = try ChangeTracker.open(path, files: copy, image: image, guids: guids)
            guard case .unknown = again.changes(since: point) else {
                Issue.record("a point outlived: \(reason)")
                return
            }
        }
        let damaged = disk.copy()
        damaged.setContents(path, [UInt8](repeating: 1, count: 9000))
        let tracker = try ChangeTracker.open(path, files: damaged, image: image, guids: guids)
        #expect(tracker.changes(since: point) == .unknown("there was no track file"))
        let same = try ChangeTracker.open(path, files: disk, image: image, guids: guids)
        #expect(same.changes(since: point) == .ranges([0..<65_536], isCoarse: false))
        // The linkage that a format gives an image when it is opened for writing.
        var renewed = image
        renewed.linkage = guids.next()
        try same.renew(renewed)
        same.abandon()
        let crashed = try ChangeTracker.open(path, files: disk, image: renewed, guids: guids)
        #expect(crashed.changes(since: point) == .ranges([0..<1 << 20], isCoarse: true))
    }

    @Test("a flush of the image that fails ends all points, in the file too")
    func failedFlush() throws {
        let disk = TrackStory.newDisk()
        let base = RefusingDevice(MemoryDevice(size: 1 << 20))
        let guids = SequentialGUIDs(seed: 7)
        let image = TrackedImage(size: 1 << 20)
        let tracker = try ChangeTracker.open("/vm/b.track", files: disk, image: image, guids: guids)
        let device = try TrackedDevice(base, tracker)
        let point = try device.reference().id
        base.refuse(StorageFault(.device, "FILE-IO", "b", "it failed", action: "Look"))
        #expect(Self.fault { () throws(StorageFault) in try device.flush() } == "FILE-IO")
        base.refuse(nil)
        guard case .unknown = tracker.changes(since: point) else {
            Issue.record("the point is still believed")
            return
        }
        #expect(Self.fault { () throws(StorageFault) in _ = try device.reference() } == "TRACK-DISTRUST")
        try device.write([UInt8](repeating: 1, count: 512), at: 0)
        tracker.abandon()
        disk.powerCut(.all)
        let again = try ChangeTracker.open("/vm/b.track", files: disk, image: image, guids: guids)
        #expect(again.changes(since: point) == .unknown("the point \(point) is not known"))
        #expect(again.points.isEmpty)
    }

    @Test("many writers and a backup that takes points at the same time: no write is missed")
    func threads() throws {
        let story = TrackStory(TrackStory.newDisk(), seed: 5, granularity: 65_536)
        try story.open()
        let device = story.device!
        let point = try device.reference().id
        let failed = Atomic<Int>(0)
        let threads = (0..<4).map { number in
            OwnThread {
                var random = TrackRandom(UInt64(number + 1))
                for _ in 0..<300 {
                    let sector = number + 4 * random.next(2560)
                    do throws(StorageFault) {
                        try device.write(
                            [UInt8](repeating: UInt8(1 + random.next(255)), count: 512), at: Int64(sector * 512))
                    } catch { failed.add(1, ordering: .relaxed) }
                }
            }
        }
        // What a backup would hold: a copy of every range told, block by block, while writes go on.
        var replica = [UInt8](repeating: 0, count: Int(TrackStory.size))
        var last = point
        func copy(since id: GUID) throws {
            guard case .ranges(let ranges, false) = story.tracker.changes(since: id) else {
                Issue.record("unknown")
                return
            }
            for range in ranges {
                replica.replaceSubrange(
                    Int(range.lowerBound)..<Int(range.upperBound),
                    with: try device.bytes(range.count, at: range.lowerBound))
            }
        }
        for _ in 0..<15 {
            let next = try device.reference().id
            try copy(since: last)
            try story.tracker.confirm(next)
            last = next
        }
        for thread in threads { thread.join() }
        try copy(since: last)
        #expect(failed.load(ordering: .relaxed) == 0)
        #expect(replica == story.disk.contents("/vm/a.raw"))
    }

    @Test(
        "regions stay few, whatever the size",
        arguments: [
            (1 << 20, 1 << 20), (4 << 30, 1 << 20), (8 << 30, 2 << 20), (64 << 30, 16 << 20), (2 << 40, 16 << 20),
            (16 << 40, 16 << 20), (64 << 40, 64 << 20),
        ] as [(Int64, Int64)])
    func regions(_ size: Int64, _ region: Int64) {
        let geometry = TrackGeometry(size: size, granularity: 65_536)
        #expect(geometry.regionSize == region && geometry.regionCount <= 1 << 20)
        // The heads and nine coarse maps of 64 TiB take 1.2 MiB.
        #expect(TrackHead(TrackedImage(size: size), geometry).pagesBegin <= 1_270_784)
    }

    @Test("128 GiB: tracked, saved and read back, in a file of half a MiB")
    func large() throws {
        let disk = SimulatedDisk()
        let guids = SequentialGUIDs(seed: 1)
        let image = TrackedImage(size: 128 << 30)
        let tracker = try ChangeTracker.open("/t", files: disk, image: image, guids: guids)
        let point = try tracker.reference { () throws(StorageFault) in }.id
        var expected: [Range<Int64>] = []
        for index in 0..<1000 {
            let at = Int64(index) * 100 << 20 + 65_536 * Int64(index % 7)
            try tracker.begin(at..<at + 512)
            tracker.end()
            expected.append(at / 65_536 * 65_536..<at / 65_536 * 65_536 + 65_536)
        }
        try tracker.begin(127 << 30..<128 << 30)
        tracker.end()
        expected.append(127 << 30..<128 << 30)
        #expect(tracker.changes(since: point) == .ranges(expected, isCoarse: false))
        try tracker.close(image)
        #expect(disk.contents("/t")!.count < 1 << 19)
        let again = try ChangeTracker.open("/t", files: disk, image: image, guids: guids)
        #expect(again.changes(since: point) == .ranges(expected, isCoarse: false))
    }

    @Test("the worked example of a sector is what is written")
    func example() {
        let geometry = TrackGeometry(size: 16 << 20, granularity: 65_536)
        let sector = TrackSector.encoded(interval: 1, number: 0, { $0 == 0 || $0 == 9 }, geometry: geometry)
        let hex = sector.prefix(34).map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }
        #expect(
            hex.joined(separator: " ")
                == "44 54 52 43 C9 A2 96 46 01 00 00 02 00 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 02"
        )
    }
}
