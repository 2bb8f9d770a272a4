import Files
import Foundation
import Testing

@Suite("checksums and identifiers") struct ChecksumTests {
    @Test("check values of the catalogue are met")
    func checkValues() {
        let digits = Array("123456789".utf8)
        #expect(CRC32C.of(digits) == 0xE306_9283)
        #expect(CRC32.of(digits) == 0xCBF4_3926)
        #expect(CRC32C.of([]) == 0)
        #expect(digits.withUnsafeBytes { XXH3.of(UnsafeRawBufferPointer(rebasing: $0[..<0])) } == 0x2D06_8005_38D3_94C2)
    }

    /// Bit by bit, as the polynomial says.
    private func slowCRC32C(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(UInt32.max) { crc, byte in
            (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc & 1 != 0 ? (crc >> 1) ^ 0x82F6_3B78 : crc >> 1 }
        }
    }

    @Test("CRC-32C equals the bitwise one at every length, and continues")
    func crcLengths() {
        var dice = Dice(3)
        for count in 0..<200 {
            let bytes = dice.bytes(count)
            let sum = slowCRC32C(bytes)
            #expect(CRC32C.of(bytes) == sum, "length \(count)")
            let cut = dice.below(count + 1)
            let first = CRC32C.of(Array(bytes[..<cut]))
            #expect(bytes[cut...].withUnsafeBytes { CRC32C.of($0, continuing: first) } == sum, "length \(count)")
        }
    }

    @Test(
        "CRC-32C equals the bitwise one where it is made of several strands",
        arguments: [12_287, 12_288, 12_295, 24_576, 40_001])
    func crcOfLongRuns(count: Int) {
        var dice = Dice(5)
        let bytes = dice.bytes(count)
        let sum = slowCRC32C(bytes)
        #expect(CRC32C.of(bytes) == sum)
        let cut = dice.below(count)
        let first = CRC32C.of(Array(bytes[..<cut]))
        #expect(bytes[cut...].withUnsafeBytes { CRC32C.of($0, continuing: first) } == sum)
    }

    @Test("a checksum with its own field zeroed")
    func zeroedField() {
        var dice = Dice(4)
        var bytes = dice.bytes(100)
        let sum = CRC32C.of(bytes, zeroing: 40)
        bytes.replaceSubrange(40..<44, with: [0, 0, 0, 0])
        #expect(CRC32C.of(bytes) == sum)
    }

    @Test("XXH3 equals what xxhsum says")
    func xxhsum() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "xxh-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var dice = Dice(5)
        var sums: [String: String] = [:]
        for count in [0, 1, 3, 8, 16, 17, 128, 129, 240, 241, 1024, 4096, 65536, 100_001] {
            let bytes = dice.bytes(count)
            try Data(bytes).write(to: folder.appending(path: "\(count)"))
            let sum = (bytes + [0]).withUnsafeBytes { XXH3.of(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            let text = String(sum, radix: 16)
            sums["\(count)"] = String(repeating: "0", count: 16 - text.count) + text
        }
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["xxhsum", "-H3"] + sums.keys.sorted()
        process.currentDirectoryURL = folder
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let lines = output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(lines.count == sums.count)
        for line in lines where line.count == 4 {
            #expect(line[3] == sums[String(line[1].dropFirst().dropLast())], "\(line)")
        }
    }

    @Test("zeros are told from what only begins or ends with them")
    func zeros() {
        for count in [0, 1, 7, 15, 16, 17, 31, 33, 4096] {
            var bytes = [UInt8](repeating: 0, count: count)
            #expect(bytes.withUnsafeBytes { $0.isZero })
            for place in Set([0, count / 2, count - 1]).filter({ (0..<count).contains($0) }) {
                bytes[place] = 1
                #expect(!bytes.withUnsafeBytes { $0.isZero }, "\(count) bytes, \(place)")
                bytes[place] = 0
            }
        }
    }

    @Test("a GUID's text and its stored bytes")
    func guids() throws {
        let text = "2DC27766-F623-4200-9D64-115E9BFD4A08"
        let guid = try #require(GUID(text))
        #expect(guid.bytes.prefix(8) == [0x66, 0x77, 0xC2, 0x2D, 0x23, 0xF6, 0x00, 0x42])
        #expect(guid.description == text)
        #expect(GUID("{\(text.lowercased())}") == guid)
        for wrong in ["", "{\(text)", text + "0", text.replacing("-", with: ""), text.replacing("2DC", with: "2DG")] {
            #expect(GUID(wrong) == nil, "\(wrong)")
        }
        let source = HostGUIDs()
        for _ in 0..<100 {
            let made = source.next()
            #expect(GUID(made.description) == made)
            #expect(Array(made.description)[14] == "4")
        }
        let (one, two) = (SequentialGUIDs(seed: 9), SequentialGUIDs(seed: 9))
        #expect((0..<5).map { _ in one.next() } == (0..<5).map { _ in two.next() })
    }
}

@Suite("workers") struct WorkersTests {
    @Test("each worker runs once, and all have ended when the call returns", arguments: [1, 2, 7])
    func allRun(count: Int) throws {
        let disk = SimulatedDisk()
        try Workers.run(count) { (worker, halt) throws(StorageFault) in
            _ = try disk.open("\(worker)", .create)
            if halt.isRaised { _ = try disk.open("raised", .create) }
        }
        #expect(disk.paths == (0..<count).map(String.init).sorted())
    }

    @Test("the first fault is thrown, and the others are told to stop", arguments: [0, 2])
    func faults(failing: Int) {
        let thrown = faultID {
            try Workers.run(3) { (worker, halt) throws(StorageFault) in
                if worker == failing { throw StorageFault(.device, "TEST", "x", "it failed", action: "None") }
                while !halt.isRaised {}
            }
        }
        #expect(thrown == "TEST")
    }

    @Test("at least one worker, and no more than the limit")
    func counts() {
        #expect(Workers.count(limit: 1) == 1)
        #expect((1...8).contains(Workers.count()))
    }
}
