import DiskImages
import Files
import Foundation
import Testing

enum ModelShape: String, CaseIterable, CustomTestStringConvertible {
    case raw, fixed, dynamic, differencing
    var testDescription: String { rawValue }
}

/// One image and the plain bytes it ought to hold.
private final class Subject {
    let folder: Probe.Folder
    let shape: ModelShape
    let guids = SequentialGUIDs(seed: 77)
    var model: [UInt8]
    /// What a differencing image shows where it has nothing.
    var below: [UInt8]
    var base: VHDLayer?
    var layer: any ImageLayer

    init(_ shape: ModelShape, size: Int64, blockSize: Int64, _ numbers: inout Probe.Numbers) throws {
        (self.shape, folder) = (shape, try Probe.Folder())
        below = [UInt8](repeating: 0, count: Int(size))
        let files = HostFiles()
        var kind = NewImage.Kind.dynamic
        if shape == .fixed { kind = .fixed }
        if shape == .differencing {
            below = numbers.bytes(Int(size))
            let writer = try VHD.create(
                NewImage(format: .vhd, size: size, blockSize: blockSize),
                file: files.open(folder("base"), .create), guids: guids, created: 1)
            try below.withUnsafeBytes { try writer.write($0, at: 0) }
            try writer.finish()
            let base = try VHDLayer(file: files.open(folder("base"), .read), writable: false, guids: guids)
            self.base = base
            kind = .differencing(ParentReference(linkage: [base.uuid], paths: ["W2ru": ".\\base"]))
        }
        model = below
        let file = try files.open(folder("disk"), .create)
        if shape == .raw {
            let writer = try Raw.create(NewImage(format: .raw, size: size), file: file)
            try writer.finish()
            layer = try RawLayer(file: file, writable: true)
        } else {
            let image = NewImage(format: .vhd, kind: kind, size: size, blockSize: blockSize)
            let writer = try VHD.create(image, file: file, guids: guids, created: 1)
            try writer.finish()
            layer = try VHDLayer(file: file, writable: true, guids: guids)
        }
    }

    var layers: [any ImageLayer] { [layer] + (base.map { [$0] } ?? []) }

    func reopen() throws {
        try layer.close()
        let file = try HostFiles().open(folder("disk"), .readWrite)
        layer =
            shape == .raw
            ? try RawLayer(file: file, writable: true) : try VHDLayer(file: file, writable: true, guids: guids)
    }

    func resize(to size: Int) throws {
        if let raw = layer as? RawLayer { try raw.resize(to: Int64(size)) }
        if let vhd = layer as? VHDLayer { try vhd.resize(to: Int64(size)) }
        if size < model.count {
            model.removeLast(model.count - size)
        } else {
            // What the parent has there shows again, zeros beyond it.
            let from = model.count
            model += below.count > from ? Array(below[from..<min(size, below.count)]) : []
            model += [UInt8](repeating: 0, count: size - model.count)
        }
    }

    func check(_ note: String) throws {
        let isSame = try Probe.content(of: layers, 0..<Int64(model.count)) == model
        #expect(isSame, "\(shape.rawValue): \(note)")
    }
}

@Suite("images against a plain model") struct VHDModelTests {
    @Test(
        "random writes, discards, resizes and reopenings leave what was written", arguments: ModelShape.allCases,
        [(UInt64(1), 4096), (2, 65_536), (3, 1 << 20)] as [(UInt64, Int64)])
    func random(_ shape: ModelShape, _ seed: (number: UInt64, blockSize: Int64)) throws {
        var numbers = Probe.Numbers(seed: seed.number &* 1000)
        var sectors = 1500 + numbers.below(3000)
        let subject = try Subject(shape, size: Int64(sectors) * 512, blockSize: seed.blockSize, &numbers)
        for step in 0..<80 {
            let note = "seed \(seed.number), step \(step)"
            let count = 1 + numbers.below(numbers.below(4) == 0 ? 600 : 20)
            let first = numbers.below(sectors)
            let part = first * 512..<min(sectors, first + count) * 512
            switch numbers.below(20) {
            case 0..<11:
                let bytes = numbers.below(6) == 0 ? [UInt8](repeating: 0, count: part.count) : numbers.bytes(part.count)
                try bytes.withUnsafeBytes { try subject.layer.write($0, at: Int64(part.lowerBound)) }
                subject.model.replaceSubrange(part, with: bytes)
            case 11..<14:
                try subject.layer.discard(Int64(part.lowerBound)..<Int64(part.upperBound))
                subject.model.replaceSubrange(part, with: repeatElement(0, count: part.count))
            case 14..<16: try subject.layer.flush()
            case 16..<18: try subject.reopen()
            case 18:
                sectors = max(1, sectors + numbers.below(2000) - 900)
                try subject.resize(to: sectors * 512)
            default: try subject.check(note)
            }
        }
        try subject.check("seed \(seed.number), end")
        try subject.reopen()
        try subject.check("seed \(seed.number), reopened")
        try subject.layer.close()
        guard shape != .raw, shape != .differencing else { return }
        // qemu agrees.
        try Data(subject.model).write(to: URL(fileURLWithPath: subject.folder("model")))
        let answer = try Probe.must(
            "qemu-img", ["compare", "-f", "raw", "-F", "vpc", subject.folder("model"), subject.folder("disk")])
        #expect(answer.contains("identical"), "\(shape) seed \(seed.number): \(answer)")
        #expect(!answer.contains("mismatch"), "\(shape) seed \(seed.number): \(answer)")
    }
}
