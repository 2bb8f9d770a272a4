import BlockDeviceContract
import DiskImages
import Files
import Testing

private let seeds: [UInt64] = [1, 2, 3]

@Suite("every block device keeps the contract") struct DeviceContractTests {
    @Test("memory does", arguments: seeds, [512, 4096])
    func memory(seed: UInt64, sector: Int) {
        let device = MemoryDevice(size: 3 << 20, sectorSize: sector)
        #expect(BlockDeviceContract(seed: seed).problems(of: device) == [])
    }

    @Test("an overlay does, and leaves its base alone", arguments: seeds, [512, 4096])
    func overlay(seed: UInt64, sector: Int) throws {
        var random = ContractRandom(seed: seed)
        let content = random.bytes(1 << 20)
        let base = MemoryDevice(size: 3 << 20 + Int64(sector), sectorSize: sector)
        try base.write(content, at: 0)
        let faulty = FaultyDevice(base, failing: 0)
        let store = MemoryDevice(size: 4 << 20, sectorSize: 512)
        try store.write(random.bytes(4 << 20), at: 0)
        for device in [OverlayDevice(faulty), try OverlayDevice(faulty, store: store)] {
            #expect(BlockDeviceContract(seed: seed).problems(of: device, holding: content) == [])
        }
        #expect(try base.bytes(1 << 20, at: 0) == content)
        #expect(faulty.calls > 0 && faulty.faultsInjected == 0)
    }

    @Test("a slice does, and leaves the rest alone", arguments: seeds)
    func slice(seed: UInt64) throws {
        let base = MemoryDevice(size: 4 << 20)
        let edge = [UInt8](repeating: 7, count: 512)
        for offset in [512, 3 << 20 + 1024] { try base.write(edge, at: Int64(offset)) }
        let slice = try SliceDevice(base, 1024..<3 << 20 + 1024)
        #expect(BlockDeviceContract(seed: seed).problems(of: slice) == [])
        for offset in [512, 3 << 20 + 1024] { #expect(try base.bytes(512, at: Int64(offset)) == edge) }
    }

    @Test("a slice that leaves its base or cuts a sector is refused", arguments: [0..<Int64(8192 + 512), 1..<513])
    func badSlice(range: Range<Int64>) {
        #expect(throws: StorageFault.self) { try SliceDevice(MemoryDevice(size: 8192), range) }
    }

    @Test("a faulty device without a fault, and a read-only one, do")
    func passThrough() throws {
        let base = MemoryDevice(size: 1 << 20)
        #expect(BlockDeviceContract(seed: 5).problems(of: FaultyDevice(base, failing: 0)) == [])
        let content = try base.bytes(1 << 20, at: 0)
        #expect(
            BlockDeviceContract(seed: 5).problems(of: ReadOnlyDevice(base), holding: content, readOnly: true) == [])
    }

    @Test("a device that lies is found out")
    func liesAreFound() throws {
        let base = MemoryDevice(size: 1 << 20)
        try base.write([UInt8](repeating: 1, count: 512), at: 4096)
        #expect(!BlockDeviceContract(seed: 1).problems(of: base).isEmpty)
        #expect(!BlockDeviceContract(seed: 1).problems(of: ReadOnlyDevice(MemoryDevice(size: 1 << 20))).isEmpty)
        #expect(!BlockDeviceContract(seed: 1).problems(of: MemoryDevice(size: 1 << 20), readOnly: true).isEmpty)
    }

    @Test("the n-th call fails, once or for ever", arguments: [FaultyDevice.Mode.once, .forever])
    func nthCallFails(mode: FaultyDevice.Mode) {
        let device = FaultyDevice(MemoryDevice(size: 4096), failing: 2, mode)
        let failed = (1...4).map { _ in (try? device.bytes(512, at: 0)) == nil }
        #expect(failed == [false, true, mode == .forever, mode == .forever])
        #expect(device.calls == 4 && device.faultsInjected == (mode == .once ? 1 : 3))
    }

    @Test("a raw image does", arguments: seeds)
    func raw(seed: UInt64) throws {
        let scratch = try Scratch()
        let path = try scratch.raw("a.raw", size: 40 << 20)
        let guids = SequentialGUIDs(seed: seed)
        let image = try DiskImage.open(path, on: scratch.files, access: .readWrite, guids: guids)
        let problems = BlockDeviceContract(seed: seed).problems(of: image) {
            try image.close()
            return try DiskImage.open(path, on: scratch.files, guids: guids)
        }
        #expect(problems == [])
    }
}
