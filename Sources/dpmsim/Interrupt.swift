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
    /// From now on the signals that end a program are kept until `wait`. Before any thread is begun, which takes that over.
    static func hold() {
        var signals = ending
        pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// Returns when the program was asked to end: by Control-C, by SIGTERM, or because its terminal is gone.
    static func wait() {
        var signals = ending
        var signal: Int32 = 0
        sigwait(&signals, &signal)
    }

    private static var ending: sigset_t {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, signal) }
        return signals
    }

    static var isAsked: Bool { wasAsked.load(ordering: .relaxed) }
}
