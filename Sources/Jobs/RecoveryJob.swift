/// One recovery. Holds state and decides the next act; performs nothing. Source of the course: dpm-facts 6.4, 6.5.
///
/// - Rule: REC-6. From disk, a secondary server or online it copies at once; from tape it takes one cartridge after the other.
public struct RecoveryJob: Hashable, Sendable {
    public enum State: UInt8, CaseIterable, Sendable {
        case queued, preparing, waitingForTape, mounting, loading, positioning, copying, rewinding, unloading,
            registering,
            completed, failed, cancelled
    }

    public enum Input: UInt8, CaseIterable, Sendable {
        /// It has its place among the recoveries of the host it writes to.
        case admitted
        case prepared
        /// The next tape is in the library, free, and a drive is there for it.
        case tapeGranted
        case mounted, loaded, positioned
        /// What this cartridge has of the set is copied, and another one follows.
        case partCopied
        case copied
        case rewound, unloaded
        /// What was copied has become a machine, or lies under its names.
        case registered
        case broke
        case cancelled
    }

    public enum Act: UInt8, CaseIterable, Sendable {
        case prepare, requestTape, mount, load, position, copy, rewind, unload, register, end
    }

    private enum Ending: UInt8 { case open, copied, broken, cancelled }

    public let isFromTape: Bool
    public private(set) var state = State.queued
    private var ending = Ending.open

    public init(isFromTape: Bool) { self.isFromTape = isFromTape }

    /// - Returns: What to perform now; nil if `input` makes no sense in this state, and then nothing changes.
    public mutating func receive(_ input: Input) -> Act? {
        switch (state, input) {
        case (.queued, .admitted): return enter(.preparing, .prepare)
        case (.preparing, .prepared):
            return isFromTape ? enter(.waitingForTape, .requestTape) : enter(.copying, .copy)
        case (.waitingForTape, .tapeGranted): return enter(.mounting, .mount)
        case (.mounting, .mounted): return enter(.loading, .load)
        case (.loading, .loaded): return enter(.positioning, .position)
        case (.positioning, .positioned): return enter(.copying, .copy)
        case (.copying, .partCopied) where isFromTape: return enter(.rewinding, .rewind)
        case (.copying, .copied):
            ending = .copied
            return isFromTape ? enter(.rewinding, .rewind) : enter(.registering, .register)
        case (.rewinding, .rewound): return enter(.unloading, .unload)
        case (.unloading, .unloaded):
            switch ending {
            case .open: return enter(.waitingForTape, .requestTape)
            case .copied: return enter(.registering, .register)
            case .broken: return enter(.failed, .end)
            case .cancelled: return enter(.cancelled, .end)
            }
        case (.registering, .registered): return enter(.completed, .end)
        case (.queued, .broke), (.preparing, .broke), (.waitingForTape, .broke), (.registering, .broke):
            return enter(.failed, .end)
        case (.queued, .cancelled), (.preparing, .cancelled), (.waitingForTape, .cancelled):
            return enter(.cancelled, .end)
        case (.copying, .broke) where !isFromTape: return enter(.failed, .end)
        case (.copying, .cancelled) where !isFromTape: return enter(.cancelled, .end)
        case (.mounting, .broke), (.loading, .broke), (.positioning, .broke), (.copying, .broke), (.rewinding, .broke),
            (.unloading, .broke):
            // The cartridge goes home before the drive is given up.
            ending = .broken
            return enter(.unloading, .unload)
        case (.mounting, .cancelled), (.loading, .cancelled), (.positioning, .cancelled), (.copying, .cancelled):
            ending = .cancelled
            return enter(.rewinding, .rewind)
        default: return nil
        }
    }

    private mutating func enter(_ next: State, _ act: Act) -> Act {
        state = next
        return act
    }
}
