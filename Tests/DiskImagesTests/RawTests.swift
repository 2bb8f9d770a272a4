import DiskImages
import Files
import Foundation
import Testing

@Suite("raw images") struct RawTests {
    private let files = HostFiles()

    @Test("holes are zeros, data are here, and both are whole sectors", arguments: [512, 4096])
    func holes(sector: Int) throws {
        let folder = try Probe.Folder()
        let file = try files.open(folder("a"), .create)
        try file.truncate(to: 4 << 20)
        try file.write([UInt8](repeating: 7, count: 100), at: 1 << 20)
        let layer = try RawLayer(file: file, writable: false, sectorSize: sector)
        let image = try DiskImage.open(folder("a"), on: files, guids: SequentialGUIDs(seed: 1), format: .raw)
        let data = try image.pieces(in: 512..<(4 << 20) - 1)
        #expect(data.count == 1)
        #expect(data.allSatisfy { $0.range.contains(1 << 20) && $0.range.lowerBound % 512 == 0 })
        #expect(data.allSatisfy { $0.place == $0.range.lowerBound })
        #expect(try image.allocatedRanges(in: 0..<4 << 20) == data.map { $0.range })
        #expect(try Probe.content(of: [layer], (1 << 20)..<(1 << 20) + 101) == [UInt8](repeating: 7, count: 100) + [0])
    }

    @Test("a file of broken sectors is read with zeros behind it, and not written")
    func broken() throws {
        let folder = try Probe.Folder()
        let file = try files.open(folder("a"), .create)
        try file.write([UInt8](repeating: 5, count: 700), at: 0)
        let layer = try RawLayer(file: file, writable: false)
        #expect(layer.size == 1024)
        #expect(
            try Probe.content(of: [layer], 0..<1024)
                == [UInt8](repeating: 5, count: 700) + [UInt8](repeating: 0, count: 324))
        let fault = #expect(throws: StorageFault.self) { try RawLayer(file: file, writable: true) }
        #expect(fault?.id == "RAW-SIZE")
    }

    @Test("nothing is written to a layer open for reading, outside the disk, or to parts of sectors")
    func refusals() throws {
        let folder = try Probe.Folder()
        let file = try files.open(folder("a"), .create)
        try file.truncate(to: 8192)
        func id(_ layer: RawLayer, _ offset: Int64, _ count: Int) -> String? {
            let bytes = [UInt8](repeating: 1, count: count)
            let fault = #expect(throws: StorageFault.self) {
                try bytes.withUnsafeBytes { try layer.write($0, at: offset) }
            }
            return fault?.id
        }
        #expect(id(try RawLayer(file: file, writable: false), 0, 512) == "DISK-READONLY")
        let layer = try RawLayer(file: file, writable: true)
        #expect(id(layer, 100, 512) == "DISK-SECTOR")
        #expect(id(layer, 8192, 512) == "DISK-RANGE")
        #expect(id(layer, Int64.max - 511, 512) == "DISK-RANGE")
        #expect(#expect(throws: StorageFault.self) { try layer.resize(to: 1000) }?.id == "RAW-SIZE")
        #expect(#expect(throws: StorageFault.self) { try layer.runs(in: 0..<9000) }?.id == "DISK-RANGE")
        #expect(
            #expect(throws: StorageFault.self) { try RawLayer(file: file, writable: false, sectorSize: 520) }?.id
                == "RAW-SECTOR")
    }

    @Test("a new raw image is as sparse as its content, and no zeros of a former file show")
    func writer() throws {
        let folder = try Probe.Folder()
        let file = try files.open(folder("a"), .create)
        try file.write([UInt8](repeating: 9, count: 1 << 20), at: 0)
        let writer = try Raw.create(NewImage(format: .raw, size: 64 << 20), file: file)
        var numbers = Probe.Numbers(seed: 2)
        var bytes = numbers.bytes(1 << 20)
        bytes.replaceSubrange(65_536..<262_144, with: repeatElement(0, count: 196_608))
        try bytes.withUnsafeBytes { try writer.write($0, at: 3 << 20) }
        try writer.finish()
        let layer = try RawLayer(file: file, writable: false)
        #expect(layer.size == 64 << 20)
        #expect(try Probe.content(of: [layer], 3 << 20..<4 << 20) == bytes)
        #expect(try Probe.content(of: [layer], 0..<1 << 20) == [UInt8](repeating: 0, count: 1 << 20))
        #expect(try file.allocated() <= 900_000)
        let parent = NewImage(format: .raw, kind: .differencing(ParentReference(linkage: [], paths: [:])), size: 512)
        #expect(#expect(throws: StorageFault.self) { try Raw.create(parent, file: file) }?.id == "RAW-PARENT")
    }
}
