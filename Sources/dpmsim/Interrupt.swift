import Foundation
import Synchronization

private let wasAsked = Atomic<Bool>(false)

/// Control-C: the first asks the run to stop where it stands and to clean up behind itself, the second ends the program.
enum Interrupt {
    static func listen() {
        signal(SIGINT) { _ in
            wasAsked.store(true, ordering: .relaxed)
            signal(SIGINT, SIG_DFL)
        }
    }
    static var isAsked: Bool { wasAsked.load(ordering: .relaxed) }
}
