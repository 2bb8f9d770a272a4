import DiskImages
public import Files
public import Protection
import StoragePool
public import Units

/// What came of holding a recovery point against what the machine's disks held at its time.
public struct PointVerdict: Hashable, Sendable {
    public var machine: String
    public var at: SimTime
    /// Bytes compared.
    public var compared: Int64
    /// What differs, at most a few; empty if nothing does.
    public var problems: [String]
    public var holds: Bool { problems.isEmpty }
}

extension RealPlane {
    /// Reads every recovery point of every real machine, block by block, and compares it with what the guest had written.
    public func verify() throws(StorageFault) -> [PointVerdict] {
        var verdicts: [PointVerdict] = []
        for machine in realMachines { verdicts += try verify(machine) }
        return verdicts
    }

    public func verify(_ machine: Ref<Machine>) throws(StorageFault) -> [PointVerdict] {
        let (real, history) = expected(machine)
        var verdicts: [PointVerdict] = []
        for point in real.points {
            let whole = real.wholeAt.last { $0 <= point.at } ?? point.at
            let verification = PointVerification(
                real: real, now: history(point.at), pageFile: history(whole), pool: try pool(of: machine),
                number: point.number)
            let (compared, problems) = try verification.run()
            verdicts.append(
                PointVerdict(machine: real.name, at: point.at, compared: compared, problems: problems))
        }
        return verdicts
    }
}

/// One recovery point against the guest's history.
private struct PointVerification {
    let real: RealMachine
    let now: GuestHistory
    /// Page files stay as they were when last everything travelled.
    let pageFile: GuestHistory
    let pool: Pool
    let number: Int64
    private static let problemLimit = 5

    func run() throws(StorageFault) -> (compared: Int64, problems: [String]) {
        var problems: [String] = []
        var compared: Int64 = 0
        let unit = BlockContent.size
        let (found, wanted) = (Buffer(count: unit), Buffer(count: unit))
        var placeOf: [RealMachine.Place: Int] = [:]
        for (index, place) in real.places.enumerated() { placeOf[place] = index }
        let facts = try pool.disks(of: real.name, at: number)
        for (index, disk) in real.disks.enumerated() {
            guard facts.contains(where: { $0.name == disk.name && $0.size == disk.size }) else {
                problems.append("\(disk.name) of \(disk.size) bytes is not among its disks")
                continue
            }
            let device = try pool.device(of: real.name, at: number, disk: disk.name)
            for block in 0..<(disk.size + Int64(unit) - 1) / Int64(unit) {
                let offset = block * Int64(unit)
                let count = Int(min(Int64(unit), disk.size - offset))
                let (ours, theirs) = (wanted[0..<count], found[0..<count])
                try fill(ours, index, block, placeOf[RealMachine.Place(disk: index, block: block)])
                do throws(StorageFault) {
                    try device.read(into: theirs, at: offset)
                } catch {
                    problems.append(error.description)
                    if problems.count >= Self.problemLimit { return (compared, problems) }
                    continue
                }
                compared += Int64(count)
                guard !ours.hasSameBytes(as: theirs) else { continue }
                problems.append("\(disk.name) differs in the \(count) bytes at \(offset)")
                if problems.count >= Self.problemLimit { return (compared, problems) }
            }
        }
        return (compared, problems)
    }

    private func fill(
        _ buffer: UnsafeMutableRawBufferPointer, _ disk: Int, _ block: Int64, _ place: Int?
    ) throws(StorageFault) {
        if let place {
            let version = place < real.pageFile ? pageFile.versions[place] : now.versions[place]
            if version > 0 { return real.content.fill(buffer, block: Int64(place), version: version) }
        }
        if let origin = real.origins[disk] {
            try origin.read(into: buffer, at: block * Int64(BlockContent.size))
        } else {
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
        }
    }
}
