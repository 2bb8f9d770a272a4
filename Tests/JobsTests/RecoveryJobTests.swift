import Jobs
import Testing

@Suite("Recovery job")
struct RecoveryJobTests {
    typealias Step = (input: RecoveryJob.Input, act: RecoveryJob.Act, state: RecoveryJob.State)

    private static let toCopying: [Step] = [
        (.admitted, .prepare, .preparing), (.prepared, .requestTape, .waitingForTape),
        (.tapeGranted, .mount, .mounting), (.mounted, .load, .loading), (.loaded, .position, .positioning),
        (.positioned, .copy, .copying),
    ]

    private func tell(_ job: inout RecoveryJob, _ steps: [Step]) {
        for step in steps {
            let act = job.receive(step.input)
            #expect(act == step.act && job.state == step.state, "\(step)")
        }
    }

    @Test func `REC-6: from disk it copies at once, and what was copied is registered`() {
        var job = RecoveryJob(isFromTape: false)
        tell(
            &job,
            [
                (.admitted, .prepare, .preparing), (.prepared, .copy, .copying), (.copied, .register, .registering),
                (.registered, .end, .completed),
            ])
    }

    @Test func `REC-6: from tape it takes one cartridge after the other, and each goes home before it ends`() {
        var job = RecoveryJob(isFromTape: true)
        tell(&job, RecoveryJobTests.toCopying)
        for _ in 0..<2 {
            tell(
                &job,
                [
                    (.partCopied, .rewind, .rewinding), (.rewound, .unload, .unloading),
                    (.unloaded, .requestTape, .waitingForTape),
                ])
            tell(&job, Array(RecoveryJobTests.toCopying.dropFirst(2)))
        }
        tell(
            &job,
            [
                (.copied, .rewind, .rewinding), (.rewound, .unload, .unloading), (.unloaded, .register, .registering),
                (.registered, .end, .completed),
            ])
    }

    @Test(arguments: 0...6)
    func `what breaks or is cancelled ends as that, and never as done`(_ length: Int) {
        for input in [RecoveryJob.Input.broke, .cancelled] {
            var job = RecoveryJob(isFromTape: true)
            tell(&job, Array(RecoveryJobTests.toCopying.prefix(length)))
            #expect(job.receive(input) != nil)
            if job.state == .rewinding { tell(&job, [(.rewound, .unload, .unloading)]) }
            if job.state == .unloading { #expect(job.receive(.unloaded) == .end) }
            #expect(job.state == (input == .broke ? .failed : .cancelled))
        }
    }

    @Test func `whatever comes in whatever order, it ends once and after that answers nothing`() {
        // Every sequence of ten inputs that are answered.
        let inputs = RecoveryJob.Input.allCases
        func walk(_ job: RecoveryJob, _ depth: Int) {
            for input in inputs {
                var next = job
                let act = next.receive(input)
                if act == nil { #expect(next == job, "\(job.state) \(input)") }
                let isOver = [.completed, .failed, .cancelled].contains(next.state)
                #expect((act == .end) == (isOver && act != nil))
                if act != nil, isOver {
                    for late in inputs {
                        var dead = next
                        #expect(dead.receive(late) == nil)
                    }
                }
                if act != nil, depth > 0 { walk(next, depth - 1) }
            }
        }
        for isFromTape in [false, true] {
            walk(RecoveryJob(isFromTape: isFromTape), 9)
        }
    }
}
