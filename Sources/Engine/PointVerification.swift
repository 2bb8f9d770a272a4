import DiskImages
public import Files
public import Protection
import StoragePool
public import Units

/// What came of holding a recovery point against what the machine's disks held at its time.
public struct PointVerdict: Hashable, Sendable {
    public var machine: String
    public var at: SimTime
    /// Where the recovery point lies.
    public var source = RecoveryRequest.Source.disk
    /// Bytes compared.
    public var compared: Int64
    /// What differs, at most a few; empty if nothing does.
    public var problems: [String]
    /// Blocks that the pool refuses to give, because the script let them rot.
    public var damaged: [String] = []
    public var holds: Bool { problems.isEmpty }
}

extension RealPlane {
    /// Reads every recovery point of every real machine, and of its copies, block by block, and compares it with what the guest had
    /// written.
    public func verify() throws(StorageFault) -> [PointVerdict] {
        var verdicts: [PointVerdict] = []
        for machine in realMachines { verdicts += try verify(machine) }
        return verdicts
    }

    public func verify(_ machine: Ref<Machine>) throws(StorageFault) -> [PointVerdict] {
        let real = expected(machine).real
        let rotten = try rottenPlaces(machine)
        var verdicts: [PointVerdict] = []
        func verify(_ point: (at: SimTime, number: Int64), _ source: RecoveryRequest.Source, _ pool: Pool)
            throws(StorageFault)
        {
            let verification = PointVerification(
                content: content(machine, at: point.at), pool: pool, number: point.number,
                rotten: source == .disk ? rotten : [])
            var verdict = try verification.run()
            (verdict.at, verdict.source) = (point.at, source)
            verdicts.append(verdict)
        }
        for point in real.points { try verify(point, .disk, try pool(of: machine)) }
        for key in copyKeys where key.machine == machine {
            for point in copies[key]! { try verify(point, key.place.source, try pool(of: key.place)) }
        }
        return verdicts
    }

    /// What a machine's recovery point of a moment has to hold.
    func content(_ machine: Ref<Machine>, at time: SimTime) -> DiskContent {
        let (real, history) = expected(machine)
        let whole = real.wholeAt.last { $0 <= time } ?? time
        return DiskContent(real, history(time), pageFile: history(whole))
    }
}

/// One recovery point against the guest's history.
private struct PointVerification {
    let content: DiskContent
    let pool: Pool
    let number: Int64
    /// Where the script asked for damage.
    let rotten: [StoredPlace]
    private static let problemLimit = 5

    /// Time and source are for the caller to say.
    func run() throws(StorageFault) -> PointVerdict {
        let name = content.real.name
        var verdict = PointVerdict(machine: name, at: .start, compared: 0, problems: [])
        let (found, wanted) = (Buffer(count: BlockContent.size), Buffer(count: BlockContent.size))
        let facts = try pool.disks(of: name, at: number)
        for (index, disk) in content.real.disks.enumerated() {
            guard facts.contains(where: { $0.name == disk.name && $0.size == disk.size }) else {
                verdict.problems.append("\(disk.name) of \(disk.size) bytes is not among its disks")
                continue
            }
            let device = try pool.device(of: name, at: number, disk: disk.name)
            for block in content.blocks(index) {
                let offset = block * Int64(BlockContent.size)
                let count = content.count(index, block)
                let (ours, theirs) = (wanted[0..<count], found[0..<count])
                try content.fill(ours, index, block)
                do throws(StorageFault) {
                    try device.read(into: theirs, at: offset)
                } catch {
                    let isRotten = rotten.contains { $0.disk == disk.name && $0.block.contains(offset) }
                    if isRotten, error.kind == .damaged {
                        verdict.damaged.append(error.description)
                    } else {
                        verdict.problems.append(error.description)
                        if verdict.problems.count >= Self.problemLimit { return verdict }
                    }
                    continue
                }
                verdict.compared += Int64(count)
                guard !ours.hasSameBytes(as: theirs) else { continue }
                verdict.problems.append("\(disk.name) differs in the \(count) bytes at \(offset)")
                if verdict.problems.count >= Self.problemLimit { return verdict }
            }
        }
        return verdict
    }
}
