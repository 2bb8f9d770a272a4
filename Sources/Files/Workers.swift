import Glibc
import Synchronization

/// Runs work on threads of its own, never on Swift's task pool: two tasks that wait for a disk would stop every other task.
public enum Workers {
    /// As many as the computer has processors, but not more than `limit`.
    public static func count(limit: Int = 8) -> Int { max(1, min(limit, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))) }

    /// Calls `body` once on each of `count` threads with their numbers, returns when all have ended, and throws the first fault.
    /// A body should look at `Halt` between pieces of work, so that a fault of one ends the others soon.
    public static func run(
        _ count: Int, _ body: @escaping @Sendable (_ worker: Int, _ halt: Halt) throws(StorageFault) -> Void
    ) throws(StorageFault) {
        let halt = Halt()
        if count <= 1 {
            try body(0, halt)
            return
        }
        let threads = (1..<count).map { worker in
            OwnThread {
                do throws(StorageFault) { try body(worker, halt) } catch { halt.fail(error) }
            }
        }
        do throws(StorageFault) { try body(0, halt) } catch { halt.fail(error) }
        for thread in threads { thread.join() }
        if let fault = halt.fault { throw fault }
    }
}

/// The first fault among workers.
public final class Halt: Sendable {
    private let state = Mutex<StorageFault?>(nil)
    private let raised = Atomic<Bool>(false)

    /// Whether some worker failed.
    public var isRaised: Bool { raised.load(ordering: .acquiring) }
    public var fault: StorageFault? { state.withLock { $0 } }

    func fail(_ fault: StorageFault) {
        state.withLock { if $0 == nil { $0 = fault } }
        raised.store(true, ordering: .releasing)
    }
}

/// A thread of the system.
public final class OwnThread: Sendable {
    private final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
    private nonisolated(unsafe) var thread = pthread_t()

    public init(_ run: @escaping @Sendable () -> Void) {
        let body = Unmanaged.passRetained(Body(run))
        let code = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, body.toOpaque())
        precondition(code == 0, "no thread could be made")
    }

    public func join() { pthread_join(thread, nil) }
}
