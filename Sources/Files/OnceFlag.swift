import Synchronization

/// Says true once.
final class OnceFlag: Sendable {
    private let taken = Atomic<Bool>(false)
    func first() -> Bool { !taken.exchange(true, ordering: .acquiringAndReleasing) }
}
