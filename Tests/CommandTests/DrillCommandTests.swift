import Foundation
import Testing

/// Two machines on two hosts, and drills of them.
private let base = """
    name: drills
    duration: 5 d
    servers: [{name: dpm-01, pool: [{name: pool-01, capacity: 4 TB}]}]
    hosts:
      - {name: hv-01, volumes: [{name: data, capacity: 2 TB}]}
      - {name: hv-02, volumes: [{name: data, capacity: 2 TB}]}
    machines: [{name: "vm-{1..2}", host: hv-01, size: 40 GB, used: 50 %, churn: 1 GB}]
    groups: [{name: daily, members: all, disk: {retention: 5 d, times: "20:00"}}]

    """

@Suite("recovery drills") struct DrillCommandTests {
    private func drill(_ drills: String, _ arguments: [String] = []) throws -> Program.Result {
        let scratch = try Scratch()
        let path = try scratch.write(base + "drills:\n" + drills, to: "drills.yaml")
        return try Program.run(["drill", path] + arguments)
    }

    @Test("a drill that holds says how long all of it took and how old the points were")
    func holds() throws {
        let result = try drill(
            "  - {name: both, group: daily, at: day 4 09:00, to: hv-02, storage: data, within: 1 h, oldest-point: 1 d}\n",
            ["--summary"])
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.contains("All back after"))
        #expect(result.output.contains("vm-1: Destination: host hv-02, volume data, folder Recovered"))
    }

    @Test("what takes too long, goes back too far or fails does not hold, each with its reason")
    func doesNotHold() throws {
        let result = try drill(
            """
              - {name: late, machines: vm-1, at: day 4 09:00, within: 1 min}
              - {name: far, machines: vm-1, at: day 4 09:00, oldest-point: 1 h}
              - {name: none, machines: "vm-*", at: day 4 09:00, as-of: day 1 00:00}

            """)
        #expect(result.status == 1)
        #expect(result.output.contains("allowed are 1 min"))
        #expect(result.output.contains("allowed are 1 h"))
        #expect(result.output.contains("vm-2: failed with 202"))
    }

    @Test("a drill changes nothing of the scenario, and one by name plays alone")
    func apart() throws {
        let drills = """
              - {name: first, machines: vm-1, at: day 4 09:00}
              - {name: second, machines: vm-1, at: day 4 09:00}

            """
        let both = try drill(drills, ["--json"])
        let second = try drill(drills, ["--json", "--only", "second"])
        #expect(both.status == 0 && second.status == 0)
        let all = try JSONSerialization.jsonObject(with: Data(both.output.utf8)) as? [[String: Any]] ?? []
        let one = try JSONSerialization.jsonObject(with: Data(second.output.utf8)) as? [[String: Any]] ?? []
        #expect(all.count == 2 && one.count == 1)
        // Played one after the other, the second finds what the first found.
        #expect(all[0]["took"] as? Double == all[1]["took"] as? Double)
        #expect(one[0]["took"] as? Double == all[1]["took"] as? Double)
    }

    @Test("no drills, or none of that name, is bad input with advice")
    func badInput() throws {
        let scratch = try Scratch()
        let none = try Program.run(["drill", try scratch.write(base, to: "none.yaml")])
        #expect(none.status == 2 && none.errors.contains("it has no drills"))
        let unknown = try drill("  - {name: first, machines: vm-1, at: day 4}\n", ["--only", "third"])
        #expect(unknown.status == 2 && unknown.errors.contains("Name one of first"))
    }

    @Test("a drill of a real machine compares what came back with what was there")
    func real() throws {
        let scratch = try Scratch()
        let text = base.replacingOccurrences(of: "churn: 1 GB", with: "churn: 1 GB, data: real, scale: 4000")
        let path = try scratch.write(
            text + "drills:\n  - {name: all, machines: \"vm-*\", at: day 4 09:00, to: hv-02, storage: data}\n",
            to: "real.yaml")
        let result = try Program.run(["drill", path])
        #expect(result.status == 0, "\(result.output)\(result.errors)")
        #expect(result.output.contains("2 recoveries"))
    }
}
