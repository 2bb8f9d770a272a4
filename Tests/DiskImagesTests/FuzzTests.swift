import BlockDeviceContract
import DiskImages
import Files
import Foundation
import Testing

/// An image, alone or with its parents, on a disk of its own.
private struct FuzzSeed: Sendable {
    var name: String
    var disk: SimulatedDisk
    /// The leaf first.
    var paths: [String]
    var regions: [String: [FuzzRegion]]

    init(_ name: String, _ disk: SimulatedDisk, _ paths: [String]) throws {
        (self.name, self.disk, self.paths, regions) = (name, disk, paths, [:])
        for path in paths {
            let file = try disk.open(path, .read)
            defer { file.close() }
            regions[path] = try FuzzStructures.regions(of: file)
        }
    }

    static func access(_ disk: SimulatedDisk, _ seed: UInt64, trusting: Bool = false) -> ImageAccess {
        ImageAccess(disk, guids: SequentialGUIDs(seed: seed), trustsBadChecksums: trusting)
    }

    /// An image of 3 MiB of content in 8 MiB, and so many children with changes.
    static func chain(
        _ format: ImageFormat, _ kind: NewImage.Kind = .dynamic, sector: Int = 512, block: Int64, children: Int = 0,
        random: inout ContractRandom
    ) throws -> FuzzSeed {
        let disk = SimulatedDisk()
        let size: Int64 = 8 << 20
        let source = MemoryDevice(size: size, sectorSize: sector)
        for _ in 0..<6 { try write(source, &random) }
        var paths = ["base.\(format)"]
        var conversion = ImageConversion(
            source, to: paths[0],
            as: NewImage(format: format, kind: kind, size: size, sectorSize: sector, blockSize: block))
        conversion.workers = 1
        try conversion.run(on: disk, guids: SequentialGUIDs(seed: 1), created: 0)
        for index in 0..<children {
            let path = "child\(index).a\(format)"
            _ = try DiskImage.checkpoint(paths[0], child: path, by: access(disk, UInt64(index + 2)), created: 0)
            paths.insert(path, at: 0)
            let image = try DiskImage.open(path, by: access(disk, UInt64(index + 20)), access: .readWrite)
            for _ in 0..<4 { try write(image, &random) }
            try image.discard((1 << 20)..<(2 << 20))
            try image.close()
        }
        return try FuzzSeed("\(format) \(kind) \(sector) \(children)", disk, paths)
    }

    static func write(_ device: any BlockDevice, _ random: inout ContractRandom) throws {
        let sector = Int64(device.sectorSize)
        let count = 1 + random.below(min(Int(device.size / sector), [1, 8, 200][random.below(3)]))
        let first = Int64(random.below(Int(device.size / sector) - count + 1))
        try device.write(random.bytes(count * Int(sector)), at: first * sector)
    }

    /// A VHDX that lost power while its log counted: the changes of its tables are in the log alone.
    static func dirty(_ seed: FuzzSeed, random: inout ContractRandom) throws -> FuzzSeed {
        let whole = seed.disk.copy()
        let image = try DiskImage.open(seed.paths[0], by: access(whole, 7), access: .readWrite)
        for _ in 0..<5 {
            try write(image, &random)
            try image.discard(Int64(random.below(7)) << 20..<8 << 20)
            try image.flush()
        }
        whole.powerCut(.all)
        return try FuzzSeed("dirty \(seed.name)", whole, seed.paths)
    }

    static func seeds(_ format: ImageFormat) throws -> [FuzzSeed] {
        var random = ContractRandom(seed: 5)
        if format == .vhd {
            return try [
                chain(.vhd, .fixed, block: 512 << 10, random: &random), chain(.vhd, block: 512 << 10, random: &random),
                chain(.vhd, block: 4096, random: &random),
                chain(.vhd, block: 512 << 10, children: 1, random: &random),
                chain(.vhd, block: 2 << 20, children: 2, random: &random),
            ]
        }
        let simple = try chain(.vhdx, block: 1 << 20, random: &random)
        let child = try chain(.vhdx, block: 1 << 20, children: 1, random: &random)
        let large = try chain(.vhdx, sector: 4096, block: 2 << 20, children: 2, random: &random)
        return try [
            simple, child, large, chain(.vhdx, .fixed, block: 1 << 20, random: &random),
            chain(.vhdx, sector: 4096, block: 4 << 20, random: &random),
            dirty(simple, random: &random), dirty(child, random: &random), dirty(large, random: &random),
        ]
    }
}

/// One case: a chain with some of its files mutated, and everything done with it that can be.
private struct FuzzCase {
    let fuzz: Fuzz
    let disk: SimulatedDisk
    let paths: [String]
    let trusting: Bool
    var random: ContractRandom

    private func access(_ disk: SimulatedDisk) -> ImageAccess { FuzzSeed.access(disk, 99, trusting: trusting) }

    mutating func run() {
        read()
        write(disk.copy())
        switch random.below(6) {
        case 0: merge(disk.copy())
        case 1: reshape(disk.copy())
        default: break
        }
    }

    private mutating func part(of size: Int64, _ most: Int64, unit: Int64 = 1) -> Range<Int64> {
        guard size >= unit else { return 0..<0 }
        let units = size / unit
        let count = 1 + Int64(random.next() % UInt64(min(units, max(1, most / unit))))
        var first = Int64(random.next() % UInt64(units - count + 1))
        switch random.below(4) {
        case 0: first = 0
        case 1: first = units - count
        // Where the small disks' content is.
        case 2: first = min(units - count, first % max(1, (8 << 20) / unit))
        default: break
        }
        return first * unit..<(first + count) * unit
    }

    private mutating func read() {
        // A reader changes nothing: no call that writes.
        let calls = disk.writeCalls
        if let image = fuzz.attempt("open", { try DiskImage.open(paths[0], by: access(disk)) }) {
            look(at: image)
            fuzz.attempt("close") { try image.close() }
        }
        for path in paths {
            fuzz.attempt("dump") {
                let file = try disk.open(path, .read)
                defer { file.close() }
                let format = try ImageFormat.of(file)
                let dump = format == .vhdx ? VHDX.dump(file) : format == .vhd ? VHD.dump(file) : []
                if dump.count > 100_000 { fuzz.find("a dump of \(dump.count) structures") }
            }
        }
        if disk.writeCalls != calls { fuzz.find("a reader made \(disk.writeCalls - calls) calls that write") }
    }

    private mutating func look(at image: DiskImage) {
        if image.size <= 0 || image.size % Int64(image.sectorSize) != 0 { fuzz.find("a disk of \(image.size) bytes") }
        for index in image.layers.indices {
            let range = part(of: image.layers[index].size, 1 << 30)
            fuzz.attempt("runs") {
                var at = range.lowerBound
                for run in try image.layers[index].runs(in: range) {
                    if run.range.lowerBound != at || run.range.isEmpty {
                        fuzz.find("runs of \(range) have a gap at \(at)")
                    }
                    at = run.range.upperBound
                }
                if at != range.upperBound { fuzz.find("runs of \(range) end at \(at)") }
            }
        }
        let range = part(of: image.size, 1 << 30)
        fuzz.attempt("ranges") {
            var end = range.lowerBound - 1
            for found in try image.allocatedRanges(in: range) {
                if found.lowerBound <= end || found.isEmpty || found.upperBound > range.upperBound {
                    fuzz.find("allocated ranges of \(range): \(found) after \(end)")
                }
                end = found.upperBound
            }
        }
        for _ in 0..<4 {
            let range = part(of: image.size, 256 << 10)
            fuzz.attempt("read") { _ = try image.bytes(range.count, at: range.lowerBound) }
        }
    }

    private mutating func write(_ disk: SimulatedDisk) {
        guard
            let image = fuzz.attempt(
                "open to write", { try DiskImage.open(paths[0], by: access(disk), access: .readWrite) })
        else { return }
        let sector = Int64(image.sectorSize)
        var last: (at: Int64, bytes: [UInt8])?
        for _ in 0..<random.below(8) {
            let size = image.size
            switch random.below(10) {
            case 0..<5:
                let range = part(of: size, 128 << 10, unit: sector)
                let bytes = random.bytes(range.count)
                let done: Void? = fuzz.attempt("write") { try image.write(bytes, at: range.lowerBound) }
                last = done == nil ? nil : (range.lowerBound, bytes)
            case 5, 6:
                let range = part(of: size, 4 << 20, unit: sector)
                let done: Void? = fuzz.attempt("discard") { try image.discard(range) }
                if let known = last, range.overlaps(known.at..<known.at + Int64(known.bytes.count)) { last = nil }
                if done != nil, range.count < 1 << 20 {
                    last = (range.lowerBound, [UInt8](repeating: 0, count: range.count))
                }
            case 7:
                let new = size + [sector, -sector, 1 << 20, 5 << 20, -(1 << 20), 1 << 30][random.below(6)]
                fuzz.attempt("resize") { try image.resize(to: new, losing: random.below(2) == 0) }
                last = nil
            case 8: fuzz.attempt("flush") { try image.flush() }
            default:
                let range = part(of: size, 64 << 10)
                fuzz.attempt("read back") { _ = try image.bytes(range.count, at: range.lowerBound) }
            }
            if let last { check(image, last, "read back") }
        }
        let closed: Void? = fuzz.attempt("close written") { try image.close() }
        guard closed != nil, let last else { return }
        guard let again = fuzz.attempt("open written", { try DiskImage.open(paths[0], by: access(disk)) }) else {
            return fuzz.find("what was written and closed does not open again")
        }
        check(again, last, "written")
        fuzz.attempt("close again") { try again.close() }
    }

    private func check(_ image: DiskImage, _ known: (at: Int64, bytes: [UInt8]), _ what: String) {
        if let bytes = fuzz.attempt(what, { try image.bytes(known.bytes.count, at: known.at) }), bytes != known.bytes {
            fuzz.find("\(known.bytes.count) bytes at \(known.at) of \(image.path) are not what was written (\(what))")
        }
    }

    private mutating func merge(_ disk: SimulatedDisk) {
        fuzz.attempt("merge") { _ = try ImageMerge(paths[0], by: access(disk)).run() }
        fuzz.attempt("open merged") { try DiskImage.open(paths[0], by: access(disk)).close() }
    }

    private mutating func reshape(_ disk: SimulatedDisk) {
        fuzz.attempt("checkpoint") {
            let child = try DiskImage.checkpoint(paths[0], child: "new.avhdx", by: access(disk), created: 0)
            try DiskImage.open(child, by: access(disk)).close()
        }
        guard paths.count > 1 else { return }
        fuzz.attempt("reparent") {
            try DiskImage.reparent(paths[0], to: paths[1], trusting: random.below(2) == 0, by: access(disk))
            try DiskImage.open(paths[0], by: access(disk)).close()
        }
    }
}

@Suite("files that are hostile or broken are refused, and nothing worse") struct FuzzTests {
    @Test("VHD files mutated in any way, alone and in chains") func vhd() throws { try images(.vhd) }

    @Test("VHDX files mutated in any way, alone, in chains and with a log to replay") func vhdx() throws {
        try images(.vhdx)
    }

    private func images(_ format: ImageFormat) throws {
        let seeds = try FuzzSeed.seeds(format)
        let fuzz = Fuzz(format.rawValue, cases: 150)
        fuzz.run { random in
            let seed = seeds[random.below(seeds.count)]
            let disk = seed.disk.copy()
            do {
                // Mostly the leaf; sometimes a parent, or both.
                let chosen = random.below(4) > 0 ? 0 : random.below(seed.paths.count)
                try mutate(disk, seed, seed.paths[chosen], with: seeds, &random)
                if random.below(10) == 0 {
                    try mutate(disk, seed, seed.paths[seed.paths.count - 1], with: seeds, &random)
                }
            } catch {
                return fuzz.find("\(seed.name): \(error)")
            }
            var run = FuzzCase(
                fuzz: fuzz, disk: disk.copy(), paths: seed.paths, trusting: random.below(8) == 0, random: random)
            run.run()
        }
    }

    private func mutate(
        _ disk: SimulatedDisk, _ seed: FuzzSeed, _ path: String, with seeds: [FuzzSeed], _ random: inout ContractRandom
    ) throws {
        let file = try disk.open(path, .readWrite)
        let donor = seeds[random.below(seeds.count)]
        let other = try donor.disk.open(donor.paths[random.below(donor.paths.count)], .read)
        defer {
            file.close()
            other.close()
        }
        try FuzzMutation(file, regions: seed.regions[path] ?? [], others: [other]).run(&random)
        if random.below(8) > 0 { try FuzzStructures.seal(file) }
        try file.flush()
    }

    @Test("configuration files mutated in any way") func configurations() throws {
        var seeds: [(bytes: [UInt8], regions: [FuzzRegion])] = []
        for name in ["test.vmcx", "test.VMRS"] {
            let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: Probe.fixture(name))))
            seeds.append((bytes, FuzzConfiguration.regions(of: bytes)))
        }
        let text = String(repeating: "long name ", count: 90)
        let edited = try VMCX.edit(seeds[0].bytes, name: "seed", setting: ["/configuration/properties/name": text])
        seeds.append((edited, FuzzConfiguration.regions(of: edited)))
        let fuzz = Fuzz("vmcx", cases: 60)
        fuzz.run { random in
            let (seed, donor) = (seeds[random.below(seeds.count)], seeds[random.below(seeds.count)])
            let disk = SimulatedDisk()
            disk.setContents("a", seed.bytes)
            disk.setContents("b", donor.bytes)
            guard
                var bytes = fuzz.attempt(
                    "mutate",
                    {
                        let (file, other) = (try disk.open("a", .readWrite), try disk.open("b", .read))
                        defer {
                            file.close()
                            other.close()
                        }
                        try FuzzMutation(file, regions: seed.regions, others: [other]).run(&random)
                        return try file.bytes(Int(min(file.size(), 17 << 20)), at: 0)
                    })
            else { return }
            if random.below(8) > 0 { FuzzConfiguration.seal(&bytes) }
            parse(bytes, fuzz, &random)
        }
    }

    private func parse(_ bytes: [UInt8], _ fuzz: Fuzz, _ random: inout ContractRandom) {
        let dump = VMCX.dump(bytes, name: "case")
        fuzz.count(dump.contains { !$0.problems.isEmpty } ? "dump with problems" : "dump without problems")
        guard let file = fuzz.attempt("parse", { try VMCXFile(bytes: bytes, name: "case") }) else { return }
        _ = (file.name, file.id, file.typeID, file.configurationVersion, file.generation, file.memory, file.processors)
        _ = file.disks
        for entry in file.entries { _ = entry.value.description }
        guard !file.entries.isEmpty else { return }
        let key = file.entries[random.below(file.entries.count)].path
        let text = String(repeating: "x", count: random.below(1200))
        let edited = fuzz.attempt("edit") {
            try VMCX.edit(bytes, name: "case", setting: [key: text])
        }
        guard let edited else { return }
        let read = fuzz.attempt("parse edited") { try VMCXFile(bytes: edited, name: "case") }
        if read?.string(key) != text { fuzz.find("\(key) was set, but is not") }
    }
}
