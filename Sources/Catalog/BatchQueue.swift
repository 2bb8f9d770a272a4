import Foundation

/// Hands batches from the run's thread to the writer's, at most `limit` at a time: a run that is faster than its disk waits.
final class BatchQueue: @unchecked Sendable {
    // Guards everything below; every access is between lock and unlock.
    private let condition = NSCondition()
    private var waiting: [Batch] = []
    private var isClosed = false
    private var isDone = false
    private var stoppedBy: ArchiveFault?
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// Why the writer gave up, if it did.
    var fault: ArchiveFault? { condition.withLock { stoppedBy } }

    /// Puts a batch in; waits while the queue is full. After a fault batches are dropped: the run goes on without them.
    func put(_ batch: Batch) {
        condition.withLock {
            while waiting.count >= limit, stoppedBy == nil { condition.wait() }
            guard stoppedBy == nil else { return }
            waiting.append(batch)
            condition.broadcast()
        }
    }

    /// The next batch; waits for one. Nil once the queue is closed and empty.
    func take() -> Batch? {
        condition.withLock {
            while waiting.isEmpty, !isClosed { condition.wait() }
            guard !waiting.isEmpty else { return nil }
            let first = waiting.removeFirst()
            condition.broadcast()
            return first
        }
    }

    /// No more batches will come.
    func close() {
        condition.withLock {
            isClosed = true
            condition.broadcast()
        }
    }

    /// Called by the writer as its last act.
    func done(_ fault: ArchiveFault?) {
        condition.withLock {
            stoppedBy = fault
            isDone = true
            condition.broadcast()
        }
    }

    /// Waits until the writer called `done`.
    func waitUntilDone() {
        condition.withLock { while !isDone { condition.wait() } }
    }
}
