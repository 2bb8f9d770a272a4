import DiskImages
import Files
import Testing

/// Shapes of files that fuzzing found, each in a small file of its own.
@Suite("shapes that fuzzing found") struct FuzzFindingTests {
    /// A VHDX of 4 MiB in blocks of 1 MiB whose first three are stored, and where its block table is.
    private func image(_ kind: NewImage.Kind = .dynamic) throws -> (pages: VHDXPages, bat: Int64) {
        let file = VHDXMemoryFile(try vhdxImage(size: 4 << 20, kind: kind))
        let layer = try VHDXLayer(file: file, writable: true, guids: SequentialGUIDs(seed: 3))
        for block in 0..<3 as Range<Int64> { try layer.write([UInt8](repeating: 7, count: 4096), at: block << 20) }
        try layer.close()
        return (file.content, VHDXFormatTests.bat)
    }

    private func refusal(_ pages: VHDXPages, writable: Bool) -> String? {
        do {
            _ = try VHDXFormatTests.open(pages, writable: writable)
            return nil
        } catch { return error.id }
    }

    @Test(
        "a VHDX whose blocks lie over each other or behind its end can be read, but not written",
        arguments: [false, true])
    func overlaps(isChild: Bool) throws {
        var (pages, bat) = try image(isChild ? .differencing(vhdxParent) : .dynamic)
        #expect(refusal(pages, writable: true) == nil)
        let original = pages
        let entries = VHDXFormatTests.read(pages, bat, 24)
        VHDXFormatTests.put(&pages, Array(entries[..<8]), bat + 8)
        #expect(refusal(pages, writable: false) == nil)
        #expect(refusal(pages, writable: true) == "VHDX-OVERLAP")
        pages = original
        VHDXFormatTests.edit(&pages, bat, 8, seal: false) {
            $0.putLittle($0.little(UInt64.self, at: 0) & 7 | 1 << 30, at: 0)
        }
        #expect(refusal(pages, writable: false) == nil)
        #expect(refusal(pages, writable: true) == "VHDX-BAT")
        guard isChild else { return }
        // The sector bitmap, at the end of its chunk's entries, over a block.
        pages = original
        VHDXFormatTests.put(&pages, [entries[0] & 0xF8 | 6] + Array(entries[1..<8]), bat + 8 * 4096)
        #expect(refusal(pages, writable: true) == "VHDX-OVERLAP")
    }

    @Test("a VHDX whose size lies over another metadata item is not resized, and opens as before")
    func sizeOverItem() throws {
        var pages = try image().pages
        // The second item of the table is the size; it is put 4 bytes into the first, the file parameters.
        VHDXFormatTests.edit(&pages, VHDXFormatTests.metadata, 131_072, seal: false) {
            let first = Int($0.little(UInt32.self, at: 32 + 16))
            $0.putLittle(UInt32(first + 8), at: 32 + 16 + 32)
            $0.putLittle(UInt64(4 << 20), at: first + 8)
            $0.putLittle(UInt32(12), at: 32 + 20)
        }
        let file = VHDXMemoryFile(pages)
        let layer = try VHDXLayer(file: file, writable: true, guids: SequentialGUIDs(seed: 3))
        #expect(throws: StorageFault.self) { try layer.resize(to: 8 << 20) }
        try layer.close()
        #expect(try VHDXFormatTests.open(file.content).size == 4 << 20)
    }
}
