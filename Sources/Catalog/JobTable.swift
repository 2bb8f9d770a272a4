public import Protection

/// All jobs of a run, in the order they were noted.
///
/// Kept in blocks, so that a year of 800 machines (some 350 000 jobs of 104 bytes) never needs twice its room to grow.
public struct JobTable: RandomAccessCollection, Sendable {
    static let blockLength = 4_096
    private var blocks: [[JobRecord]] = []
    public private(set) var endIndex = 0
    public init() {}

    public var startIndex: Int { 0 }
    public subscript(position: Int) -> JobRecord {
        blocks[position / JobTable.blockLength][position % JobTable.blockLength]
    }

    /// Adds a job at the end.
    public mutating func append(_ job: JobRecord) {
        if endIndex % JobTable.blockLength == 0 {
            blocks.append([])
            blocks[blocks.count - 1].reserveCapacity(JobTable.blockLength)
        }
        blocks[blocks.count - 1].append(job)
        endIndex += 1
    }

    /// Calls `body` with every job in order; quicker than indexing.
    public func forEach(_ body: (JobRecord) throws -> Void) rethrows {
        for block in blocks { for job in block { try body(job) } }
    }
}
