import Jobs
import Testing

@Suite("Tape job and copy job")
struct TapeJobTests {
    typealias Step = (input: TapeJob.Input, act: TapeJob.Act, state: TapeJob.State)

    static let mounting: [Step] = [
        (.driveGranted, .chooseCartridge, .choosing), (.cartridgeChosen, .mount, .mounting),
        (.mounted, .load, .loading), (.loaded, .position, .positioning), (.positioned, .stream, .streaming),
    ]

    private func tell(_ job: inout TapeJob, _ steps: [Step]) {
        for step in steps {
            let act = job.receive(step.input)
            #expect(act == step.act && job.state == step.state, "\(step)")
        }
    }

    @Test func `sets follow each other on one cartridge, then it goes home`() {
        var job = TapeJob()
        tell(&job, TapeJobTests.mounting)
        tell(
            &job,
            [
                (.setWritten, .stream, .streaming), (.setWritten, .stream, .streaming),
                (.lastSetWritten, .rewind, .rewinding), (.rewound, .unload, .unloading), (.unloaded, .end, .completed),
            ])
    }

    @Test func `a full cartridge is taken out and the set goes on on the next, as often as needed`() {
        var job = TapeJob()
        tell(&job, TapeJobTests.mounting)
        for _ in 0..<3 {
            tell(
                &job,
                [
                    (.tapeFull, .rewind, .rewinding), (.rewound, .unload, .unloading),
                    (.unloaded, .chooseCartridge, .choosing),
                ])
            tell(&job, Array(TapeJobTests.mounting.dropFirst()))
        }
        tell(
            &job,
            [(.lastSetWritten, .rewind, .rewinding), (.rewound, .unload, .unloading), (.unloaded, .end, .completed)])
    }

    @Test func `without a cartridge the stream fails`() {
        var job = TapeJob()
        tell(&job, [(.driveGranted, .chooseCartridge, .choosing), (.noCartridge, .end, .failed)])
    }

    @Test(arguments: 2...5)
    func `a stream that breaks with a cartridge on its way brings it home before it ends`(_ length: Int) {
        for input in [TapeJob.Input.broke, .cancelled] {
            var job = TapeJob()
            tell(&job, Array(TapeJobTests.mounting.prefix(length)))
            #expect(job.receive(input) != nil)
            if job.state == .rewinding { tell(&job, [(.rewound, .unload, .unloading)]) }
            tell(&job, [(.unloaded, .end, input == .broke ? .failed : .cancelled)])
        }
    }

    @Test func `inputs that make no sense change nothing`() {
        // Inputs each state takes; every other pair must leave the job as it is.
        let taken: [TapeJob.State: [TapeJob.Input]] = [
            .queued: [.driveGranted, .broke, .cancelled],
            .choosing: [.cartridgeChosen, .noCartridge, .broke, .cancelled],
            .mounting: [.mounted, .broke, .cancelled], .loading: [.loaded, .broke, .cancelled],
            .positioning: [.positioned, .broke, .cancelled],
            .streaming: [.setWritten, .tapeFull, .lastSetWritten, .broke, .cancelled],
            .rewinding: [.rewound, .broke], .unloading: [.unloaded, .broke],
        ]
        var seen: Set<TapeJob> = [TapeJob()]
        var open = [TapeJob()]
        while let job = open.popLast() {
            for input in TapeJob.Input.allCases {
                var next = job
                let act = next.receive(input)
                #expect((act != nil) == (taken[job.state]?.contains(input) ?? false), "\(job.state) \(input)")
                if act == nil { #expect(next == job) } else if seen.insert(next).inserted { open.append(next) }
            }
        }
        #expect(Set(seen.map(\.state)).count == TapeJob.State.allCases.count)
    }

    @Test func `a copy goes through its three acts, or ends where it breaks`() {
        let good: [(CopyJob.Input, CopyJob.Act)] = [(.admitted, .transfer), (.moved, .commit), (.committed, .end)]
        for cut in 0...3 {
            for input in [CopyJob.Input.broke, .cancelled] {
                var job = CopyJob()
                for (step, act) in good.prefix(cut) {
                    let answer = job.receive(step)
                    #expect(answer == act)
                }
                let last = job.receive(input)
                if cut == 3 {
                    #expect(last == nil && job.state == .completed)
                } else {
                    #expect(last == .end && job.state == (input == .broke ? .failed : .cancelled))
                }
                let ended = job
                for any in CopyJob.Input.allCases {
                    let answer = job.receive(any)
                    #expect(answer == nil && job == ended)
                }
            }
        }
    }
}
