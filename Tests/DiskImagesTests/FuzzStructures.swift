import BlockDeviceContract
import DiskImages
import Files

/// Where the structures of an image file are, and how their checksums are put right after a change; found as the formats say
/// (disk-formats.md 1.1, 1.2, 1.5), with nothing taken from the code under test. Files may be broken in any way.
enum FuzzStructures {
    private static func bytes(_ count: Int, at offset: Int64, of file: any StoreFile) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        _ = try bytes.withMutableBytes { (buffer) throws(StorageFault) in try file.read(into: buffer, at: offset) }
        return bytes
    }

    static func regions(of file: any StoreFile) throws -> [FuzzRegion] {
        try bytes(8, at: 0, of: file).elementsEqual("vhdxfile".utf8) ? vhdx(file) : vhd(file)
    }

    static func seal(_ file: any StoreFile) throws {
        if try bytes(8, at: 0, of: file).elementsEqual("vhdxfile".utf8) {
            try sealVHDX(file)
        } else {
            try sealVHD(file)
        }
    }

    // MARK: VHD

    private static func vhd(_ file: any StoreFile) throws -> [FuzzRegion] {
        let end = try file.size() - 512
        var regions = [FuzzRegion("footer", end..<end + 84, width: 4, isBig: true)]
        let copy = try bytes(512, at: 0, of: file)
        guard copy.starts(with: "conectix".utf8) else { return regions }
        let at: Int64 = copy.big(at: 16)
        let header = try bytes(1024, at: at, of: file)
        let table: Int64 = header.big(at: 16)
        let blocks = Int64(header.big(UInt32.self, at: 28))
        regions += [
            FuzzRegion("copy", 0..<84, width: 4, isBig: true),
            FuzzRegion("header", at..<at + 64, width: 4, isBig: true),
            FuzzRegion("locators", at + 576..<at + 576 + 48, width: 4, isBig: true),
            FuzzRegion("table", table..<table + 4 * blocks, width: 4, isBig: true),
            FuzzRegion("table", table..<table + 4 * blocks, width: 4, isBig: true),
        ]
        for block in 0..<min(blocks, 64) {
            let sector: UInt32 = try bytes(4, at: table + 4 * block, of: file).big(at: 0)
            let place = Int64(sector) * 512
            if sector != .max { regions.append(FuzzRegion("bitmap", place..<place + 512, width: 1)) }
        }
        return regions
    }

    private static func sealVHD(_ file: any StoreFile) throws {
        let end = try file.size() - 512
        var headers: Set<Int64> = []
        for place in [0, end] where place >= 0 {
            var footer = try bytes(512, at: place, of: file)
            guard footer.starts(with: "conectix".utf8) else { continue }
            if let at = Int64(exactly: footer.big(UInt64.self, at: 16)), at < end { headers.insert(at) }
            footer.putBig(complement(footer, 64), at: 64)
            try file.write(footer, at: place)
        }
        for place in headers {
            var header = try bytes(1024, at: place, of: file)
            guard header.starts(with: "cxsparse".utf8) else { continue }
            header.putBig(complement(header, 36), at: 36)
            try file.write(header, at: place)
        }
    }

    private static func complement(_ bytes: [UInt8], _ field: Int) -> UInt32 {
        ~bytes.enumerated().reduce(UInt32(0)) { sum, byte in
            (field..<field + 4).contains(byte.offset) ? sum : sum &+ UInt32(byte.element)
        }
    }

    // MARK: VHDX

    private static let bat: [UInt8] = [0x66, 0x77, 0xC2, 0x2D]
    private static let metadata: [UInt8] = [0x06, 0xA2, 0x7C, 0x8B]

    private static func vhdx(_ file: any StoreFile) throws -> [FuzzRegion] {
        var regions: [FuzzRegion] = []
        for place in [64 << 10, 128 << 10] as [Int64] {
            regions.append(FuzzRegion("header", place..<place + 80, width: 8))
            let header = try bytes(80, at: place, of: file)
            let log: Int64 = header.little(at: 72)
            let length = Int64(header.little(UInt32.self, at: 68))
            guard header[48..<64].contains(where: { $0 != 0 }), place == 64 << 10, log > 0, log < 1 << 40 else {
                continue
            }
            let all = try bytes(Int(min(length, 1 << 20)), at: log, of: file)
            for at in stride(from: 0, to: all.count, by: 4096) where all[at..<at + 4].elementsEqual("loge".utf8) {
                let start = log + Int64(at)
                let end = start + 64 + 32 * Int64(min(all.little(UInt32.self, at: at + 24), 100))
                regions += [
                    FuzzRegion("log entry", start..<start + 64, width: 4),
                    FuzzRegion("log descriptors", start + 64..<end, width: 8),
                ]
            }
        }
        let table = try bytes(16 + 4 * 32, at: 192 << 10, of: file)
        regions.append(FuzzRegion("regions", (192 << 10)..<(192 << 10) + 80, width: 4))
        regions.append(FuzzRegion("regions", (256 << 10)..<(256 << 10) + 80, width: 4))
        for index in 0..<min(4, Int(table.little(UInt32.self, at: 8))) {
            let at = 16 + 32 * index
            let start: Int64 = table.little(at: at + 16)
            if table[at..<at + 4].elementsEqual(bat) { regions += try vhdxBlocks(file, start) }
            guard table[at..<at + 4].elementsEqual(metadata) else { continue }
            let items = try bytes(32 + 16 * 32, at: start, of: file)
            let count = min(16, Int64(items.little(UInt16.self, at: 10)))
            regions.append(FuzzRegion("metadata", start..<start + 32 + 32 * count, width: 4))
            for item in 0..<Int(count) {
                let place = start + Int64(items.little(UInt32.self, at: 32 + 32 * item + 16))
                let length = Int64(items.little(UInt32.self, at: 32 + 32 * item + 20))
                regions.append(FuzzRegion("item", place..<place + length, width: length % 4 == 0 ? 4 : 2))
                if length > 20 { regions.append(FuzzRegion("locator", place + 16..<place + 80, width: 2)) }
            }
        }
        return regions
    }

    private static func vhdxBlocks(_ file: any StoreFile, _ start: Int64) throws -> [FuzzRegion] {
        let entries = try bytes(256 << 10, at: start, of: file)
        var regions: [FuzzRegion] = []
        var last = 0
        for index in 0..<entries.count / 8 where entries.little(UInt64.self, at: 8 * index) & 7 != 0 {
            last = index
            guard index > 64 || index == 32 else { continue }
            // Far behind the payload blocks' entries of a small disk there is only the one of the sector bitmap.
            let place = Int64(bitPattern: entries.little(UInt64.self, at: 8 * index) & ~0xF_FFFF)
            regions.append(
                FuzzRegion("bitmap entry", start + Int64(8 * index)..<start + Int64(8 * index + 8), width: 8))
            regions.append(FuzzRegion("bitmap", place..<place + 2048, width: 1))
        }
        let count = Int64(min(last, 32) + 2)
        return regions + [FuzzRegion](repeating: FuzzRegion("BAT", start..<start + 8 * count, width: 8), count: 8)
    }

    private static func sealVHDX(_ file: any StoreFile) throws {
        var logs: Set<Range<Int64>> = []
        let size = try file.size()
        for (place, count, mark) in [
            (64 << 10, 4096, "head"), (128 << 10, 4096, "head"), (192 << 10, 65_536, "regi"),
            (256 << 10, 65_536, "regi"),
        ] as [(Int64, Int, String)] {
            var structure = try bytes(count, at: place, of: file)
            guard structure.starts(with: mark.utf8) else { continue }
            structure.putLittle(CRC32C.of(structure, zeroing: 4), at: 4)
            try file.write(structure, at: place)
            let (at, length): (UInt64, UInt32) = (structure.little(at: 72), structure.little(at: 68))
            guard mark == "head", structure[48..<64].contains(where: { $0 != 0 }), at < UInt64(size),
                length >= 4096, length <= 4 << 20
            else { continue }
            logs.insert(Int64(at)..<Int64(at) + Int64(length))
        }
        for log in logs {
            var all = try bytes(log.count, at: log.lowerBound, of: file)
            for at in stride(from: 0, to: all.count / 4096 * 4096, by: 4096)
            where all[at..<at + 4].elementsEqual("loge".utf8) {
                let length = Int(all.little(UInt32.self, at: at + 8))
                guard length >= 64, length <= all.count else { continue }
                let rest = max(0, at + length - all.count)
                let entry = Array(all[at..<min(all.count, at + length)]) + Array(all[..<rest])
                all.putLittle(CRC32C.of(entry, zeroing: 4), at: at + 4)
                try file.write(Array(all[at + 4..<at + 8]), at: log.lowerBound + Int64(at + 4))
            }
        }
    }
}

/// The same for HyperVStorage files.
enum FuzzConfiguration {
    static func regions(of bytes: [UInt8]) -> [FuzzRegion] {
        var regions = [FuzzRegion("header", 0..<46, width: 2), FuzzRegion("header", 0x1000..<0x102E, width: 2)]
        guard bytes.count > 0x2008 else { return [] }
        let objects = Int(bytes.little(UInt32.self, at: 0x2004))
        regions.append(FuzzRegion("objects", 0x2000..<Int64(0x2008 + 18 * min(objects, 64)), width: 1))
        for index in 0..<min(objects, 64) {
            let at = 0x2008 + 18 * index
            guard at + 18 <= bytes.count, bytes[at + 17] != 0, bytes[at] == 2 else { continue }
            let start = Int64(bytes.little(UInt32.self, at: at + 5))
            regions += [
                FuzzRegion("objects", Int64(at)..<Int64(at + 18), width: 1),
                FuzzRegion("key table", start..<start + 10, width: 2),
            ]
            var entry = Int(start) + 10
            var found: [FuzzRegion] = []
            while entry + 21 <= bytes.count {
                let size = Int(bytes.little(UInt32.self, at: entry + 2))
                guard size >= 21, size < 65_536 else { break }
                found.append(FuzzRegion("entry", Int64(entry)..<Int64(entry + 21), width: [1, 2, 4][found.count % 3]))
                found.append(
                    FuzzRegion(
                        "value", Int64(entry + 21)..<Int64(entry + min(size, 60)), width: [1, 4][found.count / 2 % 2]))
                entry += size
            }
            regions += found.filter { !$0.place.isEmpty }
        }
        let log = Int64(bytes.little(UInt32.self, at: 26))
        regions.append(FuzzRegion("log", log..<log + 34, width: 4))
        return regions.filter { $0.place.upperBound <= bytes.count }
    }

    static func seal(_ bytes: inout [UInt8]) {
        for at in [0, 0x1000] {
            seal(&bytes, at..<at + 46, at + 4)
            guard at + 46 <= bytes.count, let log = Int(exactly: bytes.little(UInt64.self, at: at + 26)),
                log < bytes.count
            else { continue }
            seal(&bytes, log..<log + 34, log + 4)
        }
        guard bytes.count > 0x2008 else { return }
        for index in 0..<min(Int(bytes.little(UInt32.self, at: 0x2004)), 4096) {
            let at = 0x2008 + 18 * index
            guard at + 18 <= bytes.count else { break }
            guard bytes[at + 17] != 0 else { continue }
            seal(&bytes, at..<at + 18, at + 1)
            guard bytes[at] == 2, let start = Int(exactly: bytes.little(UInt64.self, at: at + 5)),
                start < bytes.count
            else { continue }
            seal(&bytes, start..<start + 10, start + 6)
            var entry = start + 10
            let end = min(bytes.count, start + Int(bytes.little(UInt32.self, at: at + 13)))
            while entry + 21 <= end {
                let size = Int(bytes.little(UInt32.self, at: entry + 2))
                guard size >= 21, size <= end - entry else { break }
                sealEntry(&bytes, entry)
                entry += size
            }
        }
    }

    private static func sealEntry(_ bytes: inout [UInt8], _ at: Int) {
        let value = at + 21 + Int(bytes[at + 20])
        guard value + 4 <= bytes.count else { return }
        var length = [3: 8, 4: 8, 5: 8, 8: 4, 9: 12][bytes[at]] ?? 4 + Int(bytes.little(UInt32.self, at: value))
        if bytes[at + 1] & 1 != 0 { length = 12 }
        seal(&bytes, at..<value + length, at + 12)
    }

    private static func seal(_ bytes: inout [UInt8], _ range: Range<Int>, _ field: Int) {
        guard range.upperBound <= bytes.count, field + 4 <= bytes.count else { return }
        bytes.putLittle(UInt32(0), at: field)
        bytes.putLittle(CRC32.of(bytes[range]), at: field)
    }
}
