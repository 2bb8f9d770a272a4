import Files
import Glibc

/// Slots that go round in order: one thread fills them, any number work on them, one collects them in the order they
/// were filled. The number of slots bounds the memory. Faults of any thread end all.
final class Ring<Slot: AnyObject>: @unchecked Sendable {
    private let slots: [Slot]
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    /// For the thread that fills, those that work, the one that collects.
    private let room = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let work = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let done = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var filled = 0
    private var taken = 0
    private var collected = 0
    private var isDone: [Bool]
    private var isClosed = false
    private var halted: StorageFault?

    init(_ slots: [Slot]) {
        self.slots = slots
        isDone = [Bool](repeating: false, count: slots.count)
        pthread_mutex_init(mutex, nil)
        for condition in [room, work, done] { pthread_cond_init(condition, nil) }
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
        for condition in [room, work, done] {
            pthread_cond_destroy(condition)
            condition.deallocate()
        }
    }

    private func locked<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    var fault: StorageFault? { locked { halted } }
    /// Slots filled and not collected.
    var waiting: Int { locked { filled - collected } }
    var isFull: Bool { locked { filled - collected == slots.count } }

    /// The next slot to be filled; nil if all has been ended.
    func vacant() -> Slot? {
        locked {
            while filled - collected == slots.count, halted == nil { pthread_cond_wait(room, mutex) }
            return halted == nil ? slots[filled % slots.count] : nil
        }
    }

    /// The slot last got from `vacant` is full. `worked`: there is nothing to be done on it.
    func publish(worked: Bool = false) {
        locked {
            isDone[filled % slots.count] = worked
            filled += 1
            pthread_cond_signal(work)
            if worked { pthread_cond_signal(done) }
        }
    }

    /// No slot will be filled any more.
    func close() {
        locked {
            isClosed = true
            for condition in [work, done] { pthread_cond_broadcast(condition) }
        }
    }

    /// What is filled and not taken is not wanted any more.
    func abandon() {
        locked {
            taken = filled
            isClosed = true
            pthread_cond_broadcast(work)
        }
    }

    func halt(_ fault: StorageFault) {
        locked {
            if halted == nil { halted = fault }
            for condition in [room, work, done] { pthread_cond_broadcast(condition) }
        }
    }

    /// The next slot to be worked on and what says that it has been; nil at the end. `body` is called in the order of
    /// the slots.
    func take(_ body: (Slot) -> Void = { _ in }) -> (slot: Slot, number: Int)? {
        locked {
            while true {
                if halted != nil { return nil }
                if taken < filled {
                    let number = taken
                    taken += 1
                    if isDone[number % slots.count] { continue }
                    body(slots[number % slots.count])
                    return (slots[number % slots.count], number)
                }
                if isClosed { return nil }
                pthread_cond_wait(work, mutex)
            }
        }
    }

    func finish(_ number: Int) {
        locked {
            isDone[number % slots.count] = true
            pthread_cond_signal(done)
        }
    }

    /// The next slot in order, worked on; nil at the end. It stays the caller's until `release`.
    func collect() throws(StorageFault) -> Slot? {
        let (slot, fault) = locked { () -> (Slot?, StorageFault?) in
            while true {
                if let halted { return (nil, halted) }
                if collected < filled {
                    if isDone[collected % slots.count] { return (slots[collected % slots.count], nil) }
                } else if isClosed {
                    return (nil, nil)
                }
                pthread_cond_wait(done, mutex)
            }
        }
        if let fault { throw fault }
        return slot
    }

    /// Calls `body` with the slots that were taken and not released, while no other is taken.
    func restart(_ body: ([Slot]) -> Void) {
        locked { body((collected..<taken).map { slots[$0 % slots.count] }) }
    }

    func release() {
        locked {
            collected += 1
            // Nobody takes what needed no work and is gone.
            taken = max(taken, collected)
            pthread_cond_signal(room)
        }
    }
}
