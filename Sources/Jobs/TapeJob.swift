/// One stream of a tape backup: one drive, datasource after datasource, cartridge after cartridge. Decides; performs nothing.
public struct TapeJob: Hashable, Sendable {
    public enum State: UInt8, CaseIterable, Sendable {
        case queued, choosing, mounting, loading, positioning, streaming, rewinding, unloading, completed, failed,
            cancelled
    }

    public enum Input: UInt8, CaseIterable, Sendable {
        case driveGranted, cartridgeChosen
        /// No usable tape is in the library (24050).
        case noCartridge
        case mounted, loaded, positioned
        /// A set is complete and another follows.
        case setWritten
        /// The cartridge is full and the set goes on, on the next one.
        case tapeFull
        case lastSetWritten, rewound, unloaded, broke, cancelled
    }

    public enum Act: UInt8, CaseIterable, Sendable {
        case requestDrive, chooseCartridge, mount, load, position, stream, rewind, unload, end
    }

    private enum Ending: UInt8 { case open, good, broken, cancelled }

    public private(set) var state = State.queued
    private var ending = Ending.open

    public init() {}

    /// - Returns: What to perform now; nil if `input` makes no sense in this state, and then nothing changes.
    public mutating func receive(_ input: Input) -> Act? {
        switch (state, input) {
        case (.queued, .driveGranted): return enter(.choosing, .chooseCartridge)
        case (.choosing, .cartridgeChosen): return enter(.mounting, .mount)
        case (.choosing, .noCartridge): return enter(.failed, .end)
        case (.mounting, .mounted): return enter(.loading, .load)
        case (.loading, .loaded): return enter(.positioning, .position)
        case (.positioning, .positioned): return enter(.streaming, .stream)
        case (.streaming, .setWritten): return enter(.streaming, .stream)
        case (.streaming, .tapeFull): return enter(.rewinding, .rewind)
        case (.streaming, .lastSetWritten):
            ending = .good
            return enter(.rewinding, .rewind)
        case (.rewinding, .rewound): return enter(.unloading, .unload)
        case (.unloading, .unloaded):
            switch ending {
            case .open: return enter(.choosing, .chooseCartridge)
            case .good: return enter(.completed, .end)
            case .broken: return enter(.failed, .end)
            case .cancelled: return enter(.cancelled, .end)
            }
        case (.queued, .broke), (.choosing, .broke): return enter(.failed, .end)
        case (.queued, .cancelled), (.choosing, .cancelled): return enter(.cancelled, .end)
        case (.mounting, .broke), (.loading, .broke), (.positioning, .broke), (.streaming, .broke),
            (.rewinding, .broke),
            (.unloading, .broke):
            // The cartridge is somewhere on its way: it has to go home before the drive is given up.
            ending = .broken
            return enter(.unloading, .unload)
        case (.mounting, .cancelled), (.loading, .cancelled), (.positioning, .cancelled), (.streaming, .cancelled):
            ending = .cancelled
            return enter(.rewinding, .rewind)
        case (.queued, _), (.choosing, _), (.mounting, _), (.loading, _), (.positioning, _), (.streaming, _),
            (.rewinding, _), (.unloading, _), (.completed, _), (.failed, _), (.cancelled, _):
            return nil
        }
    }

    private mutating func enter(_ next: State, _ act: Act) -> Act {
        state = next
        return act
    }
}
