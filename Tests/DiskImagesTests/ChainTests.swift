import BlockDeviceContract
import Files
import Testing

@testable import DiskImages

/// A file that is no image read here, or no image any more.
struct ForeignFile: Hashable, Sendable {
    var name: String
    var mark: [UInt8] = []

    static let all: [ForeignFile] = [
        ForeignFile(name: "a.vhdx"), ForeignFile(name: "a.avhd"), ForeignFile(name: "a.vhdx.unfinished"),
        ForeignFile(name: "a.raw", mark: [0x51, 0x46, 0x49, 0xFB]),
        ForeignFile(name: "a.vmdk", mark: Array("KDMV".utf8)),
    ]
}

@Suite("images and chains are disks") struct ChainTests {
    @Test("every kind of image keeps the contract of a block device", arguments: ChainShape.all, [UInt64(1)])
    func contract(shape: ChainShape, seed: UInt64) throws {
        let scratch = try Scratch()
        let (leaf, content) = try scratch.chain(shape, size: 9 << 20, seed: seed)
        let access = scratch.access(seed + 100)
        let image = try DiskImage.open(leaf, by: access, access: .readWrite)
        #expect(image.layers.count == shape.depth)
        let problems = BlockDeviceContract(seed: seed, changes: 60).problems(of: image, holding: content) {
            try image.close()
            return try DiskImage.open(leaf, by: access)
        }
        #expect(problems == [])
    }

    @Test("an image opened for reading keeps it too, and not a byte of its files changes", arguments: ChainShape.all)
    func readOnly(shape: ChainShape) throws {
        let scratch = try Scratch()
        let (leaf, content) = try scratch.chain(shape, size: 5 << 20, seed: 7)
        let before = try scratch.names.map { try scratch.sum($0) }
        let image = try DiskImage.open(leaf, by: scratch.access())
        #expect(BlockDeviceContract(seed: 7).problems(of: image, holding: content, readOnly: true) == [])
        try image.close()
        #expect(try scratch.names.map { try scratch.sum($0) } == before)
    }

    @Test(
        "a parent that was written to, or another disk, is refused with both identifiers",
        arguments: ChainShape.children)
    func linkage(shape: ChainShape) throws {
        let scratch = try Scratch()
        var shape = shape
        shape.depth = 2
        let (leaf, _) = try scratch.chain(shape, size: 5 << 20, seed: 3)
        let access = scratch.access(55)
        let wanted = try #require(try scratch.layer(leaf).parent?.linkage.first)
        var content = [UInt8](repeating: 0, count: 5 << 20)
        var random = ContractRandom(seed: 1)
        try scratch.change(scratch.path("disk.\(shape.format)"), &content, &random, by: access, count: 1)
        let now = try #require(try scratch.layer(scratch.path("disk.\(shape.format)")).linkage)
        #expect(wanted != now)
        let fault = #expect(throws: StorageFault.self) { try DiskImage.open(leaf, by: access) }
        #expect(fault?.id == "IMAGE-LINKAGE")
        #expect(fault?.cause.contains("\(wanted)") == true && fault?.cause.contains("\(now)") == true)
    }

    @Test("a missing parent is told with the places where it was looked for")
    func missingParent() throws {
        let scratch = try Scratch()
        let (leaf, content) = try scratch.chain(ChainShape(format: .vhdx, depth: 2), size: 5 << 20, seed: 3)
        let elsewhere = scratch.path("elsewhere")
        try scratch.files.makeFolder(elsewhere)
        try scratch.files.rename(scratch.path("disk.vhdx"), to: elsewhere + "/disk.vhdx")
        let fault = #expect(throws: StorageFault.self) { try DiskImage.open(leaf, by: scratch.access()) }
        #expect(fault?.id == "IMAGE-PARENT" && fault?.cause.contains(scratch.path("disk.vhdx")) == true)
        var access = scratch.access()
        access.parentFolders = [elsewhere]
        #expect(try scratch.difference(leaf, content, by: access) == nil)
        // The child in another folder finds its parent by its whole path, and beside it whatever its letters' case.
        try scratch.files.rename(elsewhere + "/disk.vhdx", to: scratch.path("disk.vhdx"))
        try scratch.files.rename(leaf, to: elsewhere + "/c.avhdx")
        #expect(try scratch.difference(elsewhere + "/c.avhdx", content, by: scratch.access()) == nil)
        try scratch.files.rename(scratch.path("disk.vhdx"), to: elsewhere + "/DISK.VHDX")
        #expect(try scratch.difference(elsewhere + "/c.avhdx", content, by: scratch.access()) == nil)
    }

    @Test("of two files that could be the parent, the proven one is taken")
    func rightOneOfTwo() throws {
        let scratch = try Scratch()
        let shape = ChainShape(format: .vhdx, depth: 2)
        let (leaf, content) = try scratch.chain(shape, size: 5 << 20, seed: 3)
        let elsewhere = scratch.path("elsewhere")
        try scratch.files.makeFolder(elsewhere)
        try scratch.files.rename(scratch.path("disk.vhdx"), to: elsewhere + "/disk.vhdx")
        _ = try scratch.image("disk.vhdx", ChainShape(format: .vhdx), size: 5 << 20, guids: SequentialGUIDs(seed: 9))
        var access = scratch.access()
        #expect(throws: StorageFault.self) { try DiskImage.open(leaf, by: access) }
        access.parentFolders = [elsewhere]
        #expect(try scratch.difference(leaf, content, by: access) == nil)
    }

    @Test("a chain that leads back to itself is refused, and one that is too deep")
    func loops() throws {
        let scratch = try Scratch()
        let (leaf, _) = try scratch.chain(ChainShape(format: .vhdx, depth: 3), size: 5 << 20, seed: 3)
        let middle = scratch.path("child1.avhdx")
        let fault = #expect(throws: StorageFault.self) {
            try DiskImage.reparent(middle, to: leaf, trusting: true, by: scratch.access())
        }
        #expect(fault?.id == "IMAGE-LOOP")
        for (deepest, id) in [(2, "IMAGE-DEPTH"), (3, nil)] {
            let opened = Result {
                try DiskImage.open(leaf, by: scratch.access(), access: .read, format: nil, deepest: deepest).close()
            }
            if case .failure(let error) = opened {
                #expect((error as? StorageFault)?.id == id)
            } else {
                #expect(id == nil)
            }
        }
        // Made by force: the file that the leaf calls its parent calls itself so.
        let guids = SequentialGUIDs(seed: 1)
        let layer = try VHDXLayer(file: scratch.files.open(middle, .readWrite), writable: true, guids: guids)
        let linkage = try #require(layer.linkage)
        try layer.setParent(ParentReference(linkage: [linkage], paths: ["relative_path": ".\\child1.avhdx"]))
        try layer.close()
        let loop = #expect(throws: StorageFault.self) { try DiskImage.open(leaf, by: scratch.access()) }
        #expect(["IMAGE-LOOP", "IMAGE-LINKAGE"].contains(loop?.id))
    }

    @Test("what is no image is refused by what it is", arguments: ForeignFile.all)
    func foreign(file: ForeignFile) throws {
        let (name, bytes) = (file.name, file.mark + [UInt8](repeating: 0, count: 4096 - file.mark.count))
        let scratch = try Scratch()
        let path = try scratch.raw(name, size: Int64(bytes.count), content: bytes)
        let fault = #expect(throws: StorageFault.self) { try DiskImage.open(path, by: scratch.access()) }
        #expect(fault?.id == "IMAGE-FORMAT")
        let image = try DiskImage.open(path, by: scratch.access(), format: .raw)
        #expect(try image.bytes(bytes.count, at: 0) == bytes)
    }

    @Test("a file is written by one program at a time, and not while others read it")
    func locks() throws {
        let scratch = try Scratch()
        let (leaf, _) = try scratch.chain(ChainShape(format: .vhdx, depth: 2), size: 5 << 20, seed: 3)
        let access = scratch.access()
        let reader = try DiskImage.open(leaf, by: access)
        let second = try DiskImage.open(leaf, by: access)
        #expect(throws: StorageFault.self) { try DiskImage.open(leaf, by: access, access: .readWrite) }
        try reader.close()
        try second.close()
        let writer = try DiskImage.open(leaf, by: access, access: .readWrite)
        for path in [leaf, scratch.path("disk.vhdx")] {
            let fault = #expect(throws: StorageFault.self) { try DiskImage.open(path, by: access, access: .readWrite) }
            #expect(fault?.id == "IMAGE-BUSY")
        }
        try writer.close()
        try DiskImage.open(leaf, by: access, access: .readWrite).close()
    }

    @Test("beyond the end of a smaller parent a child has zeros", arguments: [ImageFormat.vhd, .vhdx])
    func largerChild(format: ImageFormat) throws {
        let scratch = try Scratch()
        let shape = ChainShape(format: format, depth: 2)
        var (leaf, content) = try scratch.chain(shape, size: 5 << 20, seed: 8)
        let access = scratch.access(8)
        func resize(_ size: Int, losing: Bool = false) throws {
            let image = try DiskImage.open(leaf, by: access, access: .readWrite)
            try image.resize(to: Int64(size), losing: losing)
            #expect(image.size == size)
            try image.close()
            content = Array(content.prefix(size)) + [UInt8](repeating: 0, count: max(0, size - content.count))
        }
        try resize(8 << 20)
        #expect(try scratch.difference(leaf, content, by: access) == nil)
        // Made smaller than its parent and larger again, it does not show what the parent has there.
        try resize(1 << 20, losing: true)
        #expect(try scratch.difference(leaf, content, by: access) == nil)
        try resize(6 << 20)
        #expect(try scratch.difference(leaf, content, by: access) == nil)
    }
}

extension Scratch {
    func layer(_ path: String) throws -> any ImageLayer {
        let file = try files.open(path, .read)
        let guids = SequentialGUIDs(seed: 0)
        return try ImageFormat.of(file) == .vhd
            ? VHDLayer(file: file, writable: false, guids: guids) : VHDXLayer(file: file, writable: false, guids: guids)
    }

    /// A checksum of all bytes of a file.
    func sum(_ name: String) throws -> UInt32 {
        let file = try files.open(path(name), .read)
        defer { file.close() }
        let size = try file.size()
        var (crc, place) = (UInt32(0), Int64(0))
        while place < size {
            let bytes = try file.bytes(Int(min(1 << 20, size - place)), at: place)
            crc = bytes.withUnsafeBytes { CRC32C.of($0, continuing: crc) }
            place += Int64(bytes.count)
        }
        return crc
    }
}
