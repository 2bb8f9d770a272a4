import DiskImages
import Files
import Jobs
import Protection
import StoragePool
import Units

/// The disks of a recovery point, wherever it lies.
final class RecoverySource {
    private let plane: RealPlane
    private let order: RecoveryOrder
    private var restored: [DiskImage] = []
    /// What came from tape lies here meanwhile.
    private var scratch: String?

    init(_ plane: RealPlane, _ order: RecoveryOrder) { (self.plane, self.order) = (plane, order) }

    /// The disks, by their numbers.
    ///
    /// Faults: `ENGINE-POINT` if the recovery point is not there; those of reading.
    func devices(_ numbers: [Int]) throws(StorageFault) -> [Int: any BlockDevice] {
        let machine = order.request.machine
        let real = plane.machines[machine.index]!
        var devices: [Int: any BlockDevice] = [:]
        if order.source == .tape { try restore(real) }
        for number in numbers {
            let name = real.disks[number].name
            devices[number] =
                switch order.source {
                case .disk:
                    try plane.pool(of: machine).device(of: real.name, at: try Self.point(order, of: real), disk: name)
                case .tape: restored[number]
                case .secondary, .online:
                    try plane.copyDevice(machine, at: order.point, source: order.source, disk: name)
                }
        }
        if plane.planted == .skippedBlock, let last = numbers.last {
            devices[last] = try withoutLastBlock(devices[last]!)
        }
        return devices
    }

    /// The number in the pool of the recovery point that an order names.
    static func point(_ order: RecoveryOrder, of real: RealMachine) throws(StorageFault) -> Int64 {
        guard let found = real.points.first(where: { $0.at == order.point }) else {
            throw StorageFault(
                .missing, "ENGINE-POINT", "machine \(real.name)", "its pool has no recovery point of that time",
                action: "Choose another recovery point")
        }
        return found.number
    }

    private func restore(_ real: RealMachine) throws(StorageFault) {
        let folder = plane.recoveryFolder(order) + ".tape"
        scratch = folder
        try plane.files.makeFolder(folder)
        for path in try plane.restoreSet(order.set, into: folder) {
            restored.append(try DiskImage.open(path, by: plane.access, format: .raw))
        }
        guard restored.count == real.disks.count else {
            throw StorageFault(
                .damaged, "ENGINE-SET", "set \(order.set)",
                "it has \(restored.count) disks, and machine \(real.name) has \(real.disks.count)",
                action: "Choose another recovery point")
        }
    }

    private func withoutLastBlock(_ device: any BlockDevice) throws(StorageFault) -> any BlockDevice {
        guard let last = try device.allocatedRanges(in: 0..<device.size).last else { return device }
        let overlay = OverlayDevice(device)
        let start = (last.upperBound - 1) / Int64(BlockContent.size) * Int64(BlockContent.size)
        try overlay.write([UInt8](repeating: 0, count: Int(last.upperBound - start)), at: start)
        return overlay
    }

    /// Takes away what was needed only for the recovery.
    func end() {
        for image in restored { try? image.close() }
        restored = []
        if let scratch {
            RealPlane.empty(scratch, plane.files)
            try? plane.files.removeFolder(scratch)
        }
        scratch = nil
    }
}
