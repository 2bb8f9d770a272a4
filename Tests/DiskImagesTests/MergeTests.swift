import BlockDeviceContract
@testable import DiskImages
import Files
import Testing

/// One merge to be disturbed at each of its writes.
struct MergeStory: Hashable, Sendable, CustomTestStringConvertible {
    var format: ImageFormat
    /// Of the chain of three: 1 has a child itself, 2 is the leaf.
    var merged: Int
    var loss: SimulatedDisk.Loss
    var testDescription: String { "\(format), file \(merged), losing \(loss)" }

    static let all = [ImageFormat.vhdx, .vhd].flatMap { format in
        [1, 2].flatMap { merged in
            [.none, .all, .torn(seed: 5)].map { MergeStory(format: format, merged: merged, loss: $0) }
        }
    }
}

@Suite("merging") struct MergeTests {
    @Test(
        "random writes, checkpoints, merges and resizes give what a plain model says",
        arguments: [ImageFormat.vhdx, .vhd], Array(UInt64(1)...3))
    func model(format: ImageFormat, seed: UInt64) throws {
        var shape = ChainShape(format: format, depth: 2)
        if format == .vhdx, seed % 3 == 0 { shape.sectorSize = 4096 }
        var chain = try SimulatedChain(shape, size: 5 << 20, seed: seed)
        var steps: [String] = []
        for _ in 0..<14 {
            switch chain.random.below(6) {
            case 0, 1:
                steps.append("checkpoint")
                try chain.checkpoint()
            case 2 where chain.paths.count > 1:
                let index = 1 + chain.random.below(chain.paths.count - 1)
                steps.append("merge \(index)")
                do {
                    try chain.merge(index)
                } catch let fault as StorageFault where fault.id == "IMAGE-MERGE" && fault.cause.contains("larger") {
                    steps.append("refused")
                }
            case 3:
                let size = (2 + chain.random.below(12)) << 19
                steps.append("resize \(size)")
                try chain.resize(to: size)
            default:
                steps.append("write")
                try chain.change(5)
            }
            let problems = chain.problems()
            try #require(problems == [], "seed \(seed): \(steps)")
        }
    }

    @Test("a merge cut off at any write leaves the disk as it was, and goes on to its end", arguments: MergeStory.all)
    func cuts(story: MergeStory) throws {
        let seed: UInt64 = 11
        let shape = ChainShape(format: story.format, depth: 3)
        let chain = try SimulatedChain(shape, size: 2 << 20, seed: seed, changes: 4)
        let writes = try Self.merge(chain, story.merged, on: chain.disk.copy())
        #expect(writes > 20)
        // Of the tidy losses each fifth cut; of the untidy one every cut.
        let step = story.loss == .none || story.loss == .all ? 5 : 1
        for cut in Swift.stride(from: 1, through: writes, by: step) {
            let disk = chain.disk.copy()
            disk.cutAt = cut
            _ = try? Self.merge(chain, story.merged, on: disk)
            disk.powerCut(story.loss)
            disk.cutAt = nil
            let problem = Self.problems(chain, story.merged, on: disk, afterwards: "cut \(cut) of \(writes)")
            try #require(problem == nil)
        }
    }

    @Test("a merge that meets a fault at any call does so too", arguments: [ImageFormat.vhdx, .vhd], [true, false])
    func faults(format: ImageFormat, forEver: Bool) throws {
        let chain = try SimulatedChain(ChainShape(format: format, depth: 3), size: 1 << 20, seed: 12, changes: 3)
        for merged in [1, 2] {
            let plain = chain.disk.copy()
            let before = plain.calls
            _ = try Self.merge(chain, merged, on: plain)
            // Reads that fail are many and alike.
            for call in Swift.stride(from: 1, through: plain.calls - before, by: 11) {
                let disk = chain.disk.copy()
                disk.fault = SimulatedDisk.Fault(
                    call: call, onlyWrites: false, code: call % 2 == 0 ? 5 : 28, forEver: forEver)
                _ = try? Self.merge(chain, merged, on: disk)
                disk.fault = nil
                let problem = Self.problems(chain, merged, on: disk, afterwards: "fault at call \(call)")
                try #require(problem == nil)
            }
        }
    }

    /// Merges on a copy of the chain's disk; returns how many calls wrote.
    @discardableResult
    private static func merge(_ chain: SimulatedChain, _ index: Int, on disk: SimulatedDisk) throws -> Int {
        let before = disk.writeCalls
        var merge = ImageMerge(
            chain.paths[index], by: ImageAccess(disk, guids: SequentialGUIDs(seed: UInt64(disk.calls) + 1000)))
        merge.noteEvery = 100_000
        try merge.run()
        return disk.writeCalls - before
    }

    /// What is wrong with an interrupted merge: the leaf must read right before it goes on, while it is cut off a second time,
    /// and after; then nothing of the child is left.
    private static func problems(
        _ chain: SimulatedChain, _ index: Int, on disk: SimulatedDisk, afterwards moment: String
    ) -> String? {
        let child = chain.paths[index]
        func leaf() -> String {
            let last = chain.paths[2]
            return index == 2 && !disk.paths.contains(last) ? chain.paths[1] : last
        }
        if let problem = SimulatedChain.problem(leaf(), chain.contents[2], on: disk) { return "\(moment): \(problem)" }
        do {
            if disk.paths.contains(child) || disk.paths.contains(child + ".merge") {
                try merge(chain, index, on: disk)
            }
        } catch {
            return "\(moment): going on: \(error)"
        }
        if let problem = SimulatedChain.problem(leaf(), chain.contents[2], on: disk) {
            return "\(moment), gone on: \(problem)"
        }
        let expected = chain.paths.filter { $0 != child }.sorted()
        return disk.paths == expected ? nil : "\(moment): left \(disk.paths)"
    }

    @Test("a parent with another child is not merged into; nor is a grandchild in use passed over")
    func otherChildren() throws {
        var chain = try SimulatedChain(ChainShape(format: .vhdx, depth: 3), size: 3 << 20, seed: 4)
        _ = try DiskImage.checkpoint("disk.vhdx", child: "second.avhdx", by: chain.access(), created: 0)
        let fault = #expect(throws: StorageFault.self) { try chain.merge(1) }
        #expect(fault?.id == "IMAGE-CHILDREN" && fault?.cause.contains("second.avhdx") == true)
        try chain.disk.remove("second.avhdx")
        let user = try DiskImage.open(chain.paths[2], by: chain.access())
        #expect(throws: StorageFault.self) { try chain.merge(1) }
        try user.close()
        #expect(!chain.disk.paths.contains { $0.hasSuffix(".merge") })
        try chain.merge(1)
        #expect(chain.problems() == [])
    }

    @Test("while a merge is unfinished nobody else writes to its files, and another disk is never taken for the parent")
    func unfinished() throws {
        var chain = try SimulatedChain(ChainShape(format: .vhdx, depth: 3), size: 3 << 20, seed: 4)
        var merge = ImageMerge(chain.paths[1], by: chain.access())
        merge.noteEvery = 4096
        #expect(throws: StorageFault.self) { try merge.run { done, _ in done == 0 } }
        for path in [chain.paths[0], chain.paths[1]] {
            let fault = #expect(throws: StorageFault.self) {
                try DiskImage.open(path, by: chain.access(), access: .readWrite)
            }
            #expect(fault?.id == "IMAGE-MERGE")
        }
        let fault = #expect(throws: StorageFault.self) { try ImageMerge(chain.paths[2], by: chain.access()).run() }
        #expect(fault?.id == "IMAGE-MERGE")
        #expect(throws: StorageFault.self) {
            try DiskImage.checkpoint(chain.paths[1], child: "x.avhdx", by: chain.access(), created: 0)
        }
        #expect(SimulatedChain.problem(chain.paths[2], chain.contents[2], on: chain.disk) == nil)
        // Somebody else's program does write to the parent.
        let file = try chain.disk.open(chain.paths[0], .readWrite)
        let layer = try VHDXLayer(file: file, writable: true, guids: SequentialGUIDs(seed: 999))
        try layer.write([UInt8](repeating: 1, count: 512), at: 0)
        try layer.close()
        let cut = #expect(throws: StorageFault.self) { try DiskImage.open(chain.paths[2], by: chain.access()) }
        #expect(cut?.id == "IMAGE-LINKAGE")
    }

    @Test("a whole disk is not merged, and a merge that is stopped goes on later")
    func stops() throws {
        var chain = try SimulatedChain(ChainShape(format: .vhdx, depth: 2), size: 3 << 20, seed: 4)
        #expect(throws: StorageFault.self) { try ImageMerge(chain.paths[0], by: chain.access()).run() }
        let fault = #expect(throws: StorageFault.self) {
            try ImageMerge(chain.paths[1], by: chain.access()).run { _, _ in false }
        }
        #expect(fault?.id == "IMAGE-STOPPED")
        #expect(SimulatedChain.problem(chain.paths[1], chain.contents[1], on: chain.disk) == nil)
        try chain.merge(1)
        #expect(chain.problems() == [])
    }
}
