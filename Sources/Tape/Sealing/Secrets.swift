import COpenSSL
public import Files
import Synchronization

/// Random bytes of OpenSSL's generator, which the system seeds.
public final class HostSecrets: SecretSource {
    public init() {}

    /// - Throws: `TAPE-24074` if the generator has no entropy.
    public func fill(_ buffer: UnsafeMutableRawBufferPointer) throws(StorageFault) {
        guard buffer.count <= Int(Int32.max) else { throw .engine("random bytes", "too many were asked for") }
        guard let base = buffer.bindMemory(to: UInt8.self).baseAddress else { return }
        try OpenSSL.check(RAND_bytes(base, Int32(buffer.count)), "random bytes", "the generator failed")
    }
}

/// The same bytes for the same seed in every run: for tests and for cartridges made to measure. Keeps nothing secret.
public final class SeededSecrets: SecretSource {
    private let state: Mutex<UInt64>

    public init(seed: UInt64) { state = Mutex(seed) }

    public func fill(_ buffer: UnsafeMutableRawBufferPointer) throws(StorageFault) {
        state.withLock { state in
            for index in buffer.indices {
                if index % 8 == 0 { state &+= 0x9E37_79B9_7F4A_7C15 }
                // SplitMix64, by bytes.
                var word = state
                word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
                word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
                word ^= word >> 31
                buffer[index] = UInt8(truncatingIfNeeded: word >> UInt64(8 * (index % 8)))
            }
        }
    }
}

extension SecretSource {
    /// `count` random bytes.
    public func bytes(_ count: Int) throws(StorageFault) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withMutableBytes { (buffer) throws(StorageFault) in try fill(buffer) }
        return bytes
    }
}

/// Bytes nobody else may see: they are wiped when the last owner goes. Never changed once filled, hence shared freely.
final class SecretBytes: @unchecked Sendable {
    let count: Int
    private let memory: UnsafeMutableRawBufferPointer

    init(count: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(StorageFault) -> Void) throws(StorageFault) {
        memory = .allocate(byteCount: max(count, 1), alignment: 16)
        memory.initializeMemory(as: UInt8.self, repeating: 0)
        self.count = count
        try fill(UnsafeMutableRawBufferPointer(rebasing: memory[..<count]))
    }

    init(copying source: UnsafeRawBufferPointer) {
        memory = .allocate(byteCount: max(source.count, 1), alignment: 16)
        memory.initializeMemory(as: UInt8.self, repeating: 0)
        memory.copyMemory(from: source)
        count = source.count
    }

    convenience init(copying source: [UInt8]) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(source.count, 1), alignment: 16)
        defer { memory.deallocate() }
        memory.copyBytes(from: source)
        self.init(copying: UnsafeRawBufferPointer(rebasing: memory[..<source.count]))
        OPENSSL_cleanse(memory.baseAddress, memory.count)
    }

    deinit {
        OPENSSL_cleanse(memory.baseAddress, memory.count)
        memory.deallocate()
    }

    /// The bytes, for as long as `body` runs. A pointer to them must not get out: the last owner may go at any moment.
    func withBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws(StorageFault) -> Result
    ) throws(StorageFault) -> Result {
        defer { withExtendedLifetime(self) {} }
        return try body(UnsafeRawBufferPointer(rebasing: memory[..<count]))
    }
}
