public import Files
import Synchronization

/// A disk that breaks on purpose: one call fails, or all from that one on. Tests put it under whatever must survive that.
public final class FaultyDevice: BlockDevice {
    public enum Mode: Hashable, Sendable { case once, forever }

    public let base: any BlockDevice
    private let failing: Int
    private let mode: Mode
    private let fault: StorageFault
    private let counts = Mutex((calls: 0, faults: 0))

    public var name: String { base.name }
    public var size: Int64 { base.size }
    public var sectorSize: Int { base.sectorSize }
    /// Calls so far, those that failed included.
    public var calls: Int { counts.withLock { $0.calls } }
    public var faultsInjected: Int { counts.withLock { $0.faults } }

    /// The `failing`th call (from 1; 0 for none) meets `fault`, or an input/output fault.
    public init(_ base: any BlockDevice, failing: Int, _ mode: Mode = .once, with fault: StorageFault? = nil) {
        (self.base, self.failing, self.mode) = (base, failing, mode)
        self.fault =
            fault
            ?? StorageFault(.device, "FILE-IO", base.name, "the device failed on purpose", action: "Use another device")
    }

    private func step() throws(StorageFault) {
        let fails = counts.withLock { counts in
            counts.calls += 1
            let fails = counts.calls == failing || (mode == .forever && failing > 0 && counts.calls > failing)
            if fails { counts.faults += 1 }
            return fails
        }
        if fails { throw fault }
    }

    public func allocatedRanges(in range: Range<Int64>) throws(StorageFault) -> [Range<Int64>] {
        try step()
        return try base.allocatedRanges(in: range)
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try step()
        try base.read(into: buffer, at: offset)
    }

    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try step()
        try base.write(bytes, at: offset)
    }

    public func discard(_ range: Range<Int64>) throws(StorageFault) {
        try step()
        try base.discard(range)
    }

    public func flush() throws(StorageFault) {
        try step()
        try base.flush()
    }
}
