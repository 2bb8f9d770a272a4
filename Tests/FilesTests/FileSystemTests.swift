import Files
import Foundation
import Testing

/// A file system and a folder on it that a test may fill.
struct Place: CustomTestStringConvertible {
    let testDescription: String
    let make: @Sendable () throws -> (files: any FileSystem, folder: String)
    let end: @Sendable (String) -> Void

    static let all = [
        Place(
            testDescription: "the host's files",
            make: {
                let folder = FileManager.default.temporaryDirectory.appending(path: "files-\(UUID().uuidString)").path
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                return (HostFiles(), folder)
            }, end: { try? FileManager.default.removeItem(atPath: $0) }),
        Place(
            testDescription: "a simulated disk",
            make: {
                let disk = SimulatedDisk()
                try disk.makeFolder("/a")
                try disk.makeFolder("/a/folder")
                return (disk, "/a/folder")
            }, end: { _ in }),
    ]

    func run(_ body: (any FileSystem, String) throws -> Void) throws {
        let (files, folder) = try make()
        defer { end(folder) }
        try body(files, folder)
    }
}

/// The id of the fault that `body` throws, or `none`.
func faultID(_ body: () throws -> Void) -> String {
    do { try body() } catch { return (error as? StorageFault)?.id ?? "\(error)" }
    return "none"
}

@Suite("every file system keeps the same contract") struct FileSystemTests {
    @Test("names are made, listed, renamed and removed", arguments: Place.all)
    func names(place: Place) throws {
        try place.run { files, folder in
            #expect(try files.kind(of: folder) == .folder)
            #expect(try files.kind(of: folder + "/x") == .none)
            try files.open(folder + "/x", .create).close()
            try files.open(folder + "/b", .createOrOpen).close()
            try files.makeFolder(folder + "/sub")
            try files.makeFolder(folder + "/sub")
            try files.open(folder + "/sub/inner", .create).close()
            #expect(try files.list(folder) == ["b", "sub", "x"])
            #expect(try files.kind(of: folder + "/x") == .file)
            try files.rename(folder + "/x", to: folder + "/b")
            #expect(try files.list(folder) == ["b", "sub"])
            try files.rename(folder + "/sub", to: folder + "/moved")
            #expect(try files.list(folder + "/moved") == ["inner"])
            #expect(faultID { try files.removeFolder(folder + "/moved") } != "none")
            try files.rename(folder + "/moved/inner", to: folder + "/inner")
            try files.removeFolder(folder + "/moved")
            try files.remove(folder + "/b")
            try files.syncFolder(folder)
            #expect(try files.list(folder) == ["inner"])
        }
    }

    @Test("what is not there or in the way is told by the same ids", arguments: Place.all)
    func refusals(place: Place) throws {
        try place.run { files, folder in
            try files.open(folder + "/x", .create).close()
            try files.makeFolder(folder + "/sub")
            #expect(faultID { _ = try files.open(folder + "/x", .create) } == "FILE-EXISTS")
            #expect(faultID { _ = try files.open(folder + "/y", .read) } == "FILE-MISSING")
            #expect(faultID { _ = try files.open(folder + "/y", .readWrite) } == "FILE-MISSING")
            #expect(faultID { _ = try files.open(folder + "/no/y", .create) } == "FILE-MISSING")
            #expect(faultID { try files.remove(folder + "/y") } == "FILE-MISSING")
            #expect(faultID { try files.rename(folder + "/y", to: folder + "/z") } == "FILE-MISSING")
            #expect(faultID { try files.makeFolder(folder + "/x") } == "FILE-EXISTS")
            #expect(faultID { try files.makeFolder(folder + "/no/y") } == "FILE-MISSING")
            #expect(faultID { _ = try files.list(folder + "/no") } == "FILE-MISSING")
            #expect(faultID { _ = try files.list(folder + "/x") } == "FILE-MISSING")
            #expect(faultID { try files.syncFolder(folder + "/no") } == "FILE-MISSING")
            #expect(faultID { try files.rename(folder + "/x", to: folder + "/sub") } == "FILE-SYSTEM")
            let reader = try files.open(folder + "/x", .read)
            #expect(faultID { try reader.write([1], at: 0) } == "FILE-SYSTEM")
            try reader.flush()
        }
    }

    @Test("bytes come back, holes read as zeros, the end is the end", arguments: Place.all)
    func content(place: Place) throws {
        try place.run { files, folder in
            let file = try files.open(folder + "/x", .create)
            #expect(try file.size() == 0)
            try file.write([1, 2, 3], at: 5000)
            #expect(try file.size() == 5003)
            #expect(try file.bytes(4, at: 4998) == [0, 0, 1, 2])
            #expect(faultID { _ = try file.bytes(10, at: 5000) } == "FILE-SHORT")
            var few = [UInt8](repeating: 9, count: 10)
            #expect(
                try few.withMutableBytes { (buffer) throws(StorageFault) in try file.read(into: buffer, at: 5001) } == 2
            )
            #expect(few.prefix(2) == [2, 3])
            try file.truncate(to: 5001)
            try file.truncate(to: 6000)
            #expect(try file.bytes(3, at: 5000) == [1, 0, 0])
            try file.write([7], at: 0)
            try file.flush()
            let other = try files.open(folder + "/x", .readWrite)
            #expect(try other.size() == 6000)
            #expect(try other.bytes(1, at: 0) == [7])
            file.close()
            file.close()
        }
    }

    @Test("a removed file lives on for those who have it open", arguments: Place.all)
    func removedOpenFile(place: Place) throws {
        try place.run { files, folder in
            let file = try files.open(folder + "/x", .create)
            try files.remove(folder + "/x")
            try file.write([1, 2], at: 0)
            #expect(try file.bytes(2, at: 0) == [1, 2])
            let new = try files.open(folder + "/x", .create)
            #expect(try new.size() == 0)
        }
    }

    @Test("holes and reserved space are counted and found", arguments: Place.all)
    func space(place: Place) throws {
        try place.run { files, folder in
            let file = try files.open(folder + "/x", .create)
            let block = [UInt8](repeating: 0xAB, count: 65536)
            try file.write(block, at: 1 << 20)
            try file.write(block, at: 4 << 20)
            try file.flush()
            #expect(try file.allocated() == 131_072)
            #expect(try file.dataRange(from: 0) == (1 << 20)..<(1 << 20) + 65536)
            #expect(try file.dataRange(from: (1 << 20) + 4096) == (1 << 20) + 4096..<(1 << 20) + 65536)
            #expect(try file.dataRange(from: 2 << 20) == (4 << 20)..<(4 << 20) + 65536)
            #expect(try file.dataRange(from: 5 << 20) == nil)
            try file.punch((1 << 20) + 4096..<(1 << 20) + 69632)
            try file.flush()
            #expect(try file.allocated() == 65536 + 4096)
            #expect(try file.bytes(2, at: (1 << 20) + 4095) == [0xAB, 0])
            try file.punch((4 << 20) + 10..<(4 << 20) + 20)
            #expect(try file.bytes(12, at: (4 << 20) + 9) == [0xAB] + [UInt8](repeating: 0, count: 10) + [0xAB])
            try file.reserve(0..<65536)
            try file.flush()
            #expect(try file.allocated() == 131_072 + 4096)
            #expect(try file.size() == (4 << 20) + 65536)
            #expect(try file.bytes(4, at: 0) == [0, 0, 0, 0])
            let (total, free) = try files.space(at: folder)
            #expect(total > free && free > 0)
        }
    }

    @Test("random writes, truncations and holes equal a plain array", arguments: Place.all, [UInt64(1), 2, 3])
    func randomContent(place: Place, seed: UInt64) throws {
        try place.run { files, folder in
            let file = try files.open(folder + "/x", .create)
            var model: [UInt8] = []
            var dice = Dice(seed)
            for step in 0..<300 {
                let offset = dice.below(60_000)
                switch dice.below(5) {
                case 0:
                    try file.truncate(to: Int64(offset))
                    model = Array(model.prefix(offset)) + [UInt8](repeating: 0, count: max(0, offset - model.count))
                case 1:
                    let end = offset + 1 + dice.below(20_000)
                    try file.punch(Int64(offset)..<Int64(end))
                    for index in offset..<max(offset, min(end, model.count)) { model[index] = 0 }
                default:
                    let bytes = dice.bytes(1 + dice.below(9_000))
                    try file.write(bytes, at: Int64(offset))
                    let end = offset + bytes.count
                    if model.count < end { model += [UInt8](repeating: 0, count: end - model.count) }
                    model.replaceSubrange(offset..<end, with: bytes)
                }
                #expect(try file.size() == Int64(model.count), "seed \(seed), step \(step)")
                #expect(try file.bytes(model.count, at: 0) == model, "seed \(seed), step \(step)")
                var found: Int64 = 0
                while let data = try file.dataRange(from: found) {
                    #expect(model[Int(found)..<Int(data.lowerBound)].allSatisfy { $0 == 0 })
                    found = data.upperBound
                }
                #expect(model[Int(found)...].allSatisfy { $0 == 0 }, "seed \(seed), step \(step)")
            }
        }
    }

    @Test("locks are shared by readers, held alone by a writer, and end with the file", arguments: Place.all)
    func locks(place: Place) throws {
        try place.run { files, folder in
            let path = folder + "/x"
            let one = try files.open(path, .create)
            let two = try files.open(path, .readWrite)
            #expect(try one.lock(exclusive: false, wait: false))
            #expect(try two.lock(exclusive: false, wait: false))
            #expect(try !two.lock(exclusive: true, wait: false))
            try one.unlock()
            #expect(try two.lock(exclusive: true, wait: false))
            #expect(try two.lock(exclusive: true, wait: false))
            #expect(try !one.lock(exclusive: false, wait: false))
            let waiting = OwnThread { _ = try? one.lock(exclusive: true, wait: true) }
            two.close()
            waiting.join()
            let three = try files.open(path, .readWrite)
            #expect(try !three.lock(exclusive: false, wait: false))
            try one.unlock()
            #expect(try three.lock(exclusive: true, wait: true))
        }
    }
}

/// Chance that is the same in every run.
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &* 0x2545_F491_4F6C_DD1D
    }
    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 32) } }
}
