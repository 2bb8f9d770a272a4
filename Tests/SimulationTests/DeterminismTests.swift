import Protection
import Simulation
import Testing
import Units

@Suite("Determinism")
struct DeterminismTests {
    private func hash(_ installation: Installation) -> String { installation.run(checked: false).1.traceHash }

    @Test("the same setting gives the same trace, another seed another")
    func sameSetting() {
        var installation = Installation(machines: 6, days: 10)
        installation.setting.script = [
            ScriptLine(.nodeCrash(Ref(0)), .random(.exponential(mean: .days(2))), lasts: .fixed(.hours(1)))
        ]
        for m in 0..<6 { installation.setting.world.machines[m].churn.variation = 0.5 }
        let first = hash(installation)
        #expect(hash(installation) == first)
        installation.setting.seed = 2
        #expect(hash(installation) != first)
    }

    @Test("how far each call advances changes nothing")
    func steps() {
        let installation = Installation(machines: 3, days: 4)
        let whole = Run(setting: installation.setting, ledger: Notebook())
        let stepped = Run(setting: installation.setting, ledger: Notebook())
        for hour in 0..<97 { stepped.advance(until: .start + .hours(Int64(hour))) }
        #expect(whole.finish().traceHash == stepped.finish().traceHash)
    }
}
