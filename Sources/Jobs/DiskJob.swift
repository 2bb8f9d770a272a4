/// One express full, replica creation or consistency check. Holds state and decides the next act; performs nothing.
///
/// Source of the course: dpm-facts 5.3. VSS-5: whatever happens after the snapshot was begun, it is released.
public struct DiskJob: Hashable, Sendable {
    public enum Purpose: UInt8, CaseIterable, Sendable {
        case replicaCreation, expressFull, consistencyCheck
    }

    public enum State: UInt8, CaseIterable, Sendable {
        case queued, claiming, snapshotting, transferring, applying, pointing, releasing, completed, failed, cancelled
    }

    public enum Input: UInt8, CaseIterable, Sendable {
        /// It has its slots on host and DPM server.
        case admitted
        /// It has the volume to itself, where it needs that.
        case claimed
        case snapshotTaken, moved, applied, pointMade, released
        /// A device or a peer failed, or a gate refused.
        case broke
        case cancelled
    }

    public enum Act: UInt8, CaseIterable, Sendable {
        case claim, takeSnapshot, transfer, apply, makePoint, releaseSnapshot, releaseAfterFailure, end
    }

    private enum Ending: UInt8 { case good, broken, cancelled }

    public let purpose: Purpose
    public private(set) var state = State.queued
    private var ending = Ending.good

    public init(purpose: Purpose) { self.purpose = purpose }

    /// - Returns: What to perform now; nil if `input` makes no sense in this state, and then nothing changes.
    public mutating func receive(_ input: Input) -> Act? {
        switch (state, input) {
        case (.queued, .admitted): return enter(.claiming, .claim)
        case (.claiming, .claimed): return enter(.snapshotting, .takeSnapshot)
        case (.snapshotting, .snapshotTaken): return enter(.transferring, .transfer)
        case (.transferring, .moved): return enter(.applying, .apply)
        case (.applying, .applied):
            // A check mends the replica; the next express full makes the point.
            return purpose == .consistencyCheck ? enter(.releasing, .releaseSnapshot) : enter(.pointing, .makePoint)
        case (.pointing, .pointMade): return enter(.releasing, .releaseSnapshot)
        case (.releasing, .released):
            switch ending {
            case .good: return enter(.completed, .end)
            case .broken: return enter(.failed, .end)
            case .cancelled: return enter(.cancelled, .end)
            }
        case (.queued, .broke), (.claiming, .broke): return enter(.failed, .end)
        case (.queued, .cancelled), (.claiming, .cancelled): return enter(.cancelled, .end)
        case (.snapshotting, .broke), (.transferring, .broke), (.applying, .broke), (.pointing, .broke):
            ending = .broken
            return enter(.releasing, .releaseAfterFailure)
        case (.snapshotting, .cancelled), (.transferring, .cancelled), (.applying, .cancelled), (.pointing, .cancelled):
            ending = .cancelled
            return enter(.releasing, .releaseAfterFailure)
        case (.queued, _), (.claiming, _), (.snapshotting, _), (.transferring, _), (.applying, _), (.pointing, _),
            (.releasing, _), (.completed, _), (.failed, _), (.cancelled, _):
            return nil
        }
    }

    private mutating func enter(_ next: State, _ act: Act) -> Act {
        state = next
        return act
    }
}
