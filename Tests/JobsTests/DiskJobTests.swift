import Jobs
import Testing

@Suite("Disk job")
struct DiskJobTests {
    typealias Row = (from: DiskJob.State, input: DiskJob.Input, to: DiskJob.State, act: DiskJob.Act)

    // The state `releasing` stands for three: how the job ends depends on why it releases. Those are told apart below.
    static func rows(_ purpose: DiskJob.Purpose) -> [Row] {
        let common: [Row] = [
            (.queued, .admitted, .claiming, .claim), (.claiming, .claimed, .snapshotting, .takeSnapshot),
            (.snapshotting, .snapshotTaken, .transferring, .transfer), (.transferring, .moved, .applying, .apply),
            (.releasing, .released, .completed, .end),
            (.queued, .broke, .failed, .end), (.claiming, .broke, .failed, .end),
            (.queued, .cancelled, .cancelled, .end), (.claiming, .cancelled, .cancelled, .end),
            (.snapshotting, .broke, .releasing, .releaseAfterFailure),
            (.transferring, .broke, .releasing, .releaseAfterFailure),
            (.applying, .broke, .releasing, .releaseAfterFailure),
            (.snapshotting, .cancelled, .releasing, .releaseAfterFailure),
            (.transferring, .cancelled, .releasing, .releaseAfterFailure),
            (.applying, .cancelled, .releasing, .releaseAfterFailure),
        ]
        guard purpose != .consistencyCheck else {
            return common + [(.applying, .applied, .releasing, .releaseSnapshot)]
        }
        return common + [
            (.applying, .applied, .pointing, .makePoint), (.pointing, .pointMade, .releasing, .releaseSnapshot),
            (.pointing, .broke, .releasing, .releaseAfterFailure),
            (.pointing, .cancelled, .releasing, .releaseAfterFailure),
        ]
    }

    /// The shortest story that brings a fresh job into each state it can be in.
    static func stories(_ purpose: DiskJob.Purpose) -> [DiskJob.State: DiskJob] {
        var found: [DiskJob.State: DiskJob] = [.queued: DiskJob(purpose: purpose)]
        var open = [DiskJob(purpose: purpose)]
        while !open.isEmpty {
            let job = open.removeFirst()
            for input in DiskJob.Input.allCases {
                var next = job
                guard next.receive(input) != nil, found[next.state] == nil else { continue }
                // A release on the good way is what the table speaks of.
                if next.state == .releasing, input == .broke || input == .cancelled { continue }
                found[next.state] = next
                open.append(next)
            }
        }
        return found
    }

    @Test(arguments: DiskJob.Purpose.allCases)
    func `goes as its table says, and nothing else changes it`(_ purpose: DiskJob.Purpose) {
        let rows = DiskJobTests.rows(purpose)
        let jobs = DiskJobTests.stories(purpose)
        #expect(jobs.count == DiskJob.State.allCases.count - (purpose == .consistencyCheck ? 1 : 0))
        for state in DiskJob.State.allCases {
            guard let job = jobs[state] else { continue }
            for input in DiskJob.Input.allCases {
                var next = job
                let act = next.receive(input)
                let row = rows.first { $0.from == state && $0.input == input }
                #expect(act == row?.act, "\(state) \(input)")
                if let row { #expect(next.state == row.to, "\(state) \(input)") } else { #expect(next == job) }
            }
        }
    }

    static let holding: [[DiskJob.Input]] = [
        [.admitted, .claimed], [.admitted, .claimed, .snapshotTaken], [.admitted, .claimed, .snapshotTaken, .moved],
        [.admitted, .claimed, .snapshotTaken, .moved, .applied],
    ]

    @Test(arguments: holding)
    func `VSS-5 obeyed: a job that breaks or is cancelled releases its snapshot before it ends`(
        _ story: [DiskJob.Input]
    ) {
        for (input, end) in [(DiskJob.Input.broke, DiskJob.State.failed), (.cancelled, .cancelled)] {
            var job = DiskJob(purpose: .expressFull)
            for step in story { #expect(job.receive(step) != nil) }
            let act = job.receive(input)
            #expect(act == .releaseAfterFailure && job.state == .releasing)
            // A second failure while releasing must not lose the way to the end.
            let before = job
            let again = job.receive(input)
            #expect(again == nil && job == before)
            let last = job.receive(.released)
            #expect(last == .end && job.state == end)
        }
    }

    @Test func `VSS-5 broken: no job with a snapshot ends without a release, whatever 100 000 random inputs say`() {
        var word: UInt64 = 20_261_123  // the seed
        for purpose in DiskJob.Purpose.allCases {
            var job = DiskJob(purpose: purpose)
            var held = false
            for step in 0..<25_000 {
                word = word &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let act = job.receive(DiskJob.Input.allCases[Int(word >> 33) % DiskJob.Input.allCases.count])
                if act == .takeSnapshot { held = true }
                if act == .releaseSnapshot || act == .releaseAfterFailure { held = false }
                if act == .end {
                    #expect(!held, "seed 20261123, step \(step)")
                    job = DiskJob(purpose: purpose)
                }
            }
        }
    }

    @Test func `a job is four bytes at most, and values do not share`() {
        #expect(MemoryLayout<DiskJob>.size <= 4)
        let first = DiskJob(purpose: .expressFull)
        var second = first
        _ = second.receive(.admitted)
        #expect(first.state == .queued && second.state == .claiming)
    }
}
