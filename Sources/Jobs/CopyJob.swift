/// One online backup or secondary synchronization: a recovery point's changes go to another place. Decides; performs nothing.
public struct CopyJob: Hashable, Sendable {
    public enum State: UInt8, CaseIterable, Sendable {
        case queued, transferring, committing, completed, failed, cancelled
    }
    public enum Input: UInt8, CaseIterable, Sendable { case admitted, moved, committed, broke, cancelled }
    public enum Act: UInt8, CaseIterable, Sendable { case transfer, commit, end }

    public private(set) var state = State.queued

    public init() {}

    /// - Returns: What to perform now; nil if `input` makes no sense in this state, and then nothing changes.
    public mutating func receive(_ input: Input) -> Act? {
        switch (state, input) {
        case (.queued, .admitted): return enter(.transferring, .transfer)
        case (.transferring, .moved): return enter(.committing, .commit)
        case (.committing, .committed): return enter(.completed, .end)
        case (.queued, .broke), (.transferring, .broke), (.committing, .broke): return enter(.failed, .end)
        case (.queued, .cancelled), (.transferring, .cancelled), (.committing, .cancelled):
            return enter(.cancelled, .end)
        case (.queued, _), (.transferring, _), (.committing, _), (.completed, _), (.failed, _), (.cancelled, _):
            return nil
        }
    }

    private mutating func enter(_ next: State, _ act: Act) -> Act {
        state = next
        return act
    }
}
