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
        let real = expected(machine).real
        var verdicts: [PointVerdict] = []
        for point in real.points {
            let verification = PointVerification(
                content: content(machine, at: point.at), pool: try pool(of: machine), number: point.number)
            let (compared, problems) = try verification.run()
            verdicts.append(
                PointVerdict(machine: real.name, at: point.at, compared: compared, problems: problems))
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
    private static let problemLimit = 5

    func run() throws(StorageFault) -> (compared: Int64, problems: [String]) {
        var problems: [String] = []
        var compared: Int64 = 0
        let (found, wanted) = (Buffer(count: BlockContent.size), Buffer(count: BlockContent.size))
        let name = content.real.name
        let facts = try pool.disks(of: name, at: number)
        for (index, disk) in content.real.disks.enumerated() {
            guard facts.contains(where: { $0.name == disk.name && $0.size == disk.size }) else {
                problems.append("\(disk.name) of \(disk.size) bytes is not among its disks")
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
}
