import Synchronization

/// Identifiers that count up from a seed: the same in every run.
public final class SequentialGUIDs: GUIDSource {
    private let count: Mutex<UInt64>
    private let seed: UInt64

    public init(seed: UInt64) {
        self.seed = seed
        count = Mutex(0)
    }

    public func next() -> GUID {
        let number = count.withLock { value -> UInt64 in
            value += 1
            return value
        }
        var bytes = [UInt8](repeating: 0, count: 16)
        bytes.putLittle(number, at: 0)
        bytes.putLittle(seed, at: 8)
        bytes[7] = (bytes[7] & 0x0F) | 0x40
        bytes[8] = (bytes[8] & 0x3F) | 0x80
        return GUID(bytes: bytes)
    }
}
