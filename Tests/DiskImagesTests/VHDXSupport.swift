import DiskImages
import Files
import Foundation
import Synchronization

/// What a file holds, in pages, so that many states of one file cost little.
struct VHDXPages: Sendable {
    static let page: Int64 = 4096
    var pages: [Int64: [UInt8]] = [:]
    var size: Int64 = 0

    mutating func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) {
        var at = offset
        let end = offset + Int64(bytes.count)
        while at < end {
            let number = at / Self.page
            let inPage = Int(at % Self.page)
            let count = Int(min(end, (number + 1) * Self.page) - at)
            let from = Int(at - offset)
            pages[number, default: [UInt8](repeating: 0, count: Int(Self.page))].replaceSubrange(
                inPage..<inPage + count, with: UnsafeRawBufferPointer(rebasing: bytes[from..<from + count]))
            at += Int64(count)
        }
        size = max(size, end)
    }

    mutating func clear(_ range: Range<Int64>) {
        let range = range.clamped(to: 0..<max(size, 0))
        let first = (range.lowerBound + Self.page - 1) / Self.page
        let last = range.upperBound / Self.page
        guard first <= last else { return zero(range) }
        zero(range.lowerBound..<first * Self.page)
        zero(last * Self.page..<range.upperBound)
        if last - first > Int64(pages.count) {
            pages = pages.filter { $0.key < first || $0.key >= last }
        } else {
            for number in first..<last { pages[number] = nil }
        }
    }

    private mutating func zero(_ range: Range<Int64>) {
        guard !range.isEmpty, pages[range.lowerBound / Self.page] != nil else { return }
        let start = Int(range.lowerBound % Self.page)
        pages[range.lowerBound / Self.page]!.replaceSubrange(
            start..<start + range.count, with: repeatElement(0, count: range.count))
    }

    mutating func truncate(to size: Int64) {
        if size < self.size { clear(size..<self.size) }
        self.size = size
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) -> Int {
        let end = min(size, offset + Int64(buffer.count))
        var at = offset
        while at < end {
            let number = at / Self.page
            let inPage = Int(at % Self.page)
            let count = Int(min(end, (number + 1) * Self.page) - at)
            let target = UnsafeMutableRawBufferPointer(rebasing: buffer[Int(at - offset)..<Int(at - offset) + count])
            if let page = pages[number] {
                target.copyBytes(from: page[inPage..<inPage + count])
            } else {
                target.initializeMemory(as: UInt8.self, repeating: 0)
            }
            at += Int64(count)
        }
        return Int(max(0, end - offset))
    }
}

/// A file in memory that notes every change and flush, and fails when it is told to.
final class VHDXMemoryFile: StoreFile {
    enum Change: Sendable {
        case write(Int64, [UInt8])
        case clear(Range<Int64>)
        case truncate(Int64)
        case flush
    }
    struct State: Sendable {
        var content: VHDXPages
        var changes: [Change] = []
        var calls = 0
        var failing: Int?
        var closed = false
    }
    let path: String
    let records: Bool
    let state: Mutex<State>

    init(_ content: VHDXPages = VHDXPages(), records: Bool = false, path: String = "memory.vhdx") {
        (self.path, self.records) = (path, records)
        state = Mutex(State(content: content))
    }

    convenience init(_ bytes: [UInt8]) {
        var content = VHDXPages()
        bytes.withUnsafeBytes { content.write($0, at: 0) }
        self.init(content)
    }

    var content: VHDXPages { state.withLock { $0.content } }
    var changes: [Change] { state.withLock { $0.changes } }

    private func step(_ change: @autoclosure () -> Change) throws(StorageFault) {
        let fails = state.withLock { state -> Bool in
            state.calls += 1
            return state.failing.map { state.calls >= $0 } ?? false
        }
        if fails { throw StorageFault(.device, "FILE-IO", path, "it failed on purpose", action: "Nothing") }
        guard records else { return }
        let change = change()
        state.withLock { $0.changes.append(change) }
    }

    func size() throws(StorageFault) -> Int64 { content.size }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) -> Int {
        state.withLock { $0.content.read(into: buffer, at: offset) }
    }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try step(.write(offset, Array(bytes)))
        state.withLock { $0.content.write(bytes, at: offset) }
    }
    func truncate(to size: Int64) throws(StorageFault) {
        try step(.truncate(size))
        state.withLock { $0.content.truncate(to: size) }
    }
    func punch(_ range: Range<Int64>) throws(StorageFault) {
        try step(.clear(range))
        state.withLock { $0.content.clear(range) }
    }
    func reserve(_ range: Range<Int64>) throws(StorageFault) {}
    func flush() throws(StorageFault) { try step(.flush) }
    func writeSoon(_ range: Range<Int64>) {}
    func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>? {
        let size = content.size
        return offset < size ? offset..<size : nil
    }
    func allocated() throws(StorageFault) -> Int64 { Int64(content.pages.count) * VHDXPages.page }
    func lock(exclusive: Bool, wait: Bool) throws(StorageFault) -> Bool { true }
    func unlock() throws(StorageFault) {}
    func close() { state.withLock { $0.closed = true } }
}

/// SplitMix64: the same numbers for the same seed everywhere.
struct VHDXRandom: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A disk of sectors that each hold one byte's value over and over: 0 for zeros, nil for what the parent has.
struct VHDXModel: Equatable {
    let sector: Int
    var values: [UInt8?]

    init(size: Int64, sector: Int, differencing: Bool) {
        self.sector = sector
        values = [UInt8?](repeating: differencing ? nil : 0, count: Int(size) / sector)
    }

    /// The bytes of sectors that have a value.
    func bytes(_ range: Range<Int>) -> [UInt8] {
        range.flatMap { [UInt8](repeating: values[$0] ?? 0, count: sector) }
    }
}

extension VHDXLayer {
    /// Each sector's value; nil stands for the parent's, 255 for a sector whose bytes are not all one.
    func sectorValues() throws(StorageFault) -> [UInt8?] {
        let sector = Int64(sectorSize)
        var values: [UInt8?] = []
        values.reserveCapacity(Int(size / sector))
        for run in try runs(in: 0..<size) {
            let count = Int((run.range.upperBound - run.range.lowerBound) / sector)
            switch run.place {
            case .parent: values += [UInt8?](repeating: nil, count: count)
            case .zero: values += [UInt8?](repeating: 0, count: count)
            case .here:
                var bytes = [UInt8](repeating: 0, count: run.range.count)
                try bytes.withMutableBytes { (buffer) throws(StorageFault) in try read(into: buffer, of: run) }
                bytes.withUnsafeBytes { bytes in
                    for index in 0..<count {
                        let start = bytes.baseAddress! + index * sectorSize
                        // A sector equals itself moved by one byte if all its bytes are the same.
                        let same = memcmp(start, start + 1, sectorSize - 1) == 0
                        values.append(same ? start.load(as: UInt8.self) : 255)
                    }
                }
            }
        }
        return values
    }

    func write(_ bytes: [UInt8], at offset: Int64) throws(StorageFault) {
        try bytes.withBytes { (buffer) throws(StorageFault) in try write(buffer, at: offset) }
    }

    /// The disk's bytes, the parent's taken as zeros.
    func content(_ range: Range<Int64>) throws(StorageFault) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        for run in try runs(in: range) {
            guard case .here = run.place else { continue }
            let start = Int(run.range.lowerBound - range.lowerBound)
            try bytes.withMutableBytes { (buffer) throws(StorageFault) in
                try read(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + run.range.count]), of: run)
            }
        }
        return bytes
    }
}

extension VHDXWriter {
    func write(_ bytes: [UInt8], at offset: Int64) throws(StorageFault) {
        try bytes.withBytes { (buffer) throws(StorageFault) in try write(buffer, at: offset) }
    }
}

/// A folder that goes with the test.
final class VHDXFolder {
    let path: String
    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("vhdx-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
    subscript(name: String) -> String { path + "/" + name }
}

/// Runs a tool; its status and everything it printed.
func vhdxRun(_ arguments: String...) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    let pipe = Pipe()
    (process.standardOutput, process.standardError) = (pipe, pipe)
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
}

/// A new image in memory.
func vhdxImage(
    size: Int64, sector: Int = 512, block: Int64 = 1 << 20, kind: NewImage.Kind = .dynamic, seed: UInt64 = 1
) throws(StorageFault) -> VHDXPages {
    let file = VHDXMemoryFile()
    let image = NewImage(format: .vhdx, kind: kind, size: size, sectorSize: sector, blockSize: block)
    try VHDX.create(image, file: file, guids: SequentialGUIDs(seed: seed)).finish()
    return file.content
}

let vhdxParent = ParentReference(
    linkage: [GUID("11111111-2222-4333-8444-555555555555")!],
    paths: ["relative_path": ".\\base.vhdx", "absolute_win32_path": "C:\\disks\\base.vhdx"])
