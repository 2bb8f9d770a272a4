import Engine
import Files
import Protection
import Testing
import Units

private let machines = """
    name: vm, size: 60 GB, used: 40 %, churn: 4 %, working-set: 15 %
    name: two, churn: 2 %, disks: [{size: 40 GB, used: 30 %}, {size: 50 GB, used: 50 %, format: vhd}]
    """

@Suite("a DPM server that lost its database") struct DatabaseLossTests {
    private func installation(_ options: String, script: String) -> RealInstallation {
        var installation = RealInstallation(machines: machines, extra: "script: [\(script)]")
        installation.library = "slots: 20, drives: {count: 2, generation: LTO-8}, cartridges: {count: 12}"
        installation.tape = "frequency: daily, retention: 1 weeks, time: \"23:00\"|\(options)"
        return installation
    }

    @Test(
        "every recovery point and every set is there again, bit for bit, and backups go on",
        arguments: [
            "encoding: plain", "encoding: compress, colocation: all", "encoding: encrypt, colocation: all, drives: 2",
        ])
    func everythingIsThere(options: String) throws {
        let without = try installation(options, script: "").run()
        let result = try installation(options, script: "{database-loss: dpm-01, at: day 4 02:00, lasts: 3 h}").run()
        let loss = try #require(result.incidents.first { $0.title == "Database lost" })
        let ended = try #require(loss.ended)
        #expect(ended - loss.at > .hours(4))
        #expect(
            !result.incidents.contains { $0.title.hasSuffix("not found") || $0.title.contains("not found on") })
        // Points of before are the same as without the loss, and are there to the bit.
        let verdicts = try result.plane.verify()
        #expect(verdicts.filter { !$0.holds } == [])
        #expect(verdicts.map(\.at) == result.outcome.points.map(\.at))
        let early = without.outcome.points.filter { $0.at < loss.at }
        #expect(!early.isEmpty)
        #expect(early.allSatisfy { point in result.outcome.points.contains { $0.at == point.at } })
        let tapes = try result.plane.verifyTapes(result.outcome.tapeSets)
        #expect(tapes.problems == [])
        let whole = result.outcome.tapeSets.filter { $0.state == .whole }
        #expect(tapes.sets == whole.count)
        #expect(whole.contains { $0.point < loss.at } && whole.contains { $0.point > ended })
        #expect(result.jobs.contains { $0.kind == .consistencyCheck && $0.status == .completed && $0.ended > ended })
        #expect(result.plane.faults.isEmpty, "\(result.plane.faults)")
    }

    @Test("a loss in the middle of a set leaves that set broken, and the others whole")
    func inTheMiddle() throws {
        let result = try installation(
            "encoding: encrypt",
            script: "{database-loss: dpm-01, when: tape backup.transfer of two at 50 %, after: day 3, lasts: 1 h}"
        ).run()
        #expect(result.outcome.tapeSets.count { $0.state == .broken } == 1)
        let tapes = try result.plane.verifyTapes(result.outcome.tapeSets)
        #expect(tapes.problems == [])
        #expect(try result.plane.verify().filter { !$0.holds } == [])
        #expect(result.plane.faults.isEmpty, "\(result.plane.faults)")
    }

    @Test("a recovery point that the pool does not have any more is named, and gone from the books")
    func lostPoint() throws {
        var installation = installation(
            "encoding: compress", script: "{database-loss: dpm-01, at: day 4 02:00, lasts: 3 h}")
        installation.planted = .forgottenPoint
        let result = try installation.run()
        let named = result.incidents.filter { $0.title == "Recovery point not found" }
        #expect(named.map(\.object).filter { $0.hasPrefix("vm ") }.count == 1)
        #expect(named.count == 2)
        #expect(try result.plane.verify().map(\.at) == result.outcome.points.map(\.at))
    }

    @Test("a set that the tapes do not have any more is named, and not whole")
    func lostSet() throws {
        var installation = installation(
            "encoding: compress", script: "{database-loss: dpm-01, at: day 4 02:00, lasts: 3 h}")
        installation.planted = .forgottenSet
        let result = try installation.run()
        #expect(result.incidents.count { $0.title == "Set not found on tape" } == 1)
        #expect(result.outcome.tapeSets.count { $0.state == .broken } == 1)
    }

    @Test("the server is down for the time that database, pool and tapes take, and its loss is over then")
    func time() throws {
        let result = try installation(
            "encoding: compress", script: "{database-loss: dpm-01, at: day 4 02:00, lasts: 3 h, label: loss}"
        ).run()
        let loss = try #require(result.incidents.first { $0.title == "Database lost" })
        // Three hours, one for the database, two seconds for each of 6 points, the cartridges.
        let span = try #require(loss.ended) - loss.at
        #expect(span > .hours(4) + .seconds(12))
        #expect(span < .hours(5))
    }
}
