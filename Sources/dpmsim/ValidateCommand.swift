import ArgumentParser
import Foundation
import Kernel

/// Holds the kernel against numbers it did not make.
struct Validate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the simulation kernel against known results.",
        discussion: """
            Each PATH is a file of fluid transfers or of queueing models, or a folder with such files. Exit code 1 if any \
            case fails, 2 if a file cannot be used.
            """)

    @Argument(help: "Files of cases, or folders with .json files.") var paths: [String] = []
    @Flag(help: "Print the finish times of one fluid file as JSON, instead of comparing.") var json = false

    func run() throws {
        do {
            let files = try paths.flatMap { try OracleFile.list($0) }
            guard !files.isEmpty else {
                throw OracleFile.Refusal("no cases given", action: "name a .json file or a folder that holds some")
            }
            if json { try printFinishes(files) } else { try check(files) }
        } catch let refusal as OracleFile.Refusal {
            FileHandle.standardError.write(Data("dpmsim validate: \(refusal)\n".utf8))
            throw ExitCode(2)
        }
    }

    private func printFinishes(_ files: [String]) throws {
        guard files.count == 1, case .fluid(let fluid) = try OracleFile.read(files[0]) else {
            throw OracleFile.Refusal("--json needs exactly one fluid file", action: "name one file with activities")
        }
        var lines: [String] = []
        for (activity, finish) in zip(fluid.activities, fluid.run()) {
            let value = finish.isFinite ? String(format: "%.17g", finish) : "null"
            lines.append("\(try OracleFile.quoted(activity.id)): \(value)")
        }
        print("{" + lines.joined(separator: ", ") + "}")
    }

    private func check(_ files: [String]) throws {
        // All files are read before any is run: a typing error shows at once.
        let cases = try files.map { try OracleFile.read($0) }
        var failures = 0
        var count = 0
        func report(_ run: () -> OracleOutcome) {
            let clock = WallClock()
            let outcome = run()
            let seconds = clock.seconds
            count += 1
            if !outcome.passed { failures += 1 }
            let error = String(format: "%8.1e  %6.3f s", outcome.worstError, seconds)
            let why = outcome.passed || outcome.detail.isEmpty ? "" : "  " + outcome.detail
            print("\(outcome.passed ? "pass" : "FAIL")  \(error)  \(outcome.name)\(why)")
        }
        for file in cases {
            switch file {
            case .fluid(let fluid): report { fluid.check() }
            case .queues(let queues): for queue in queues { report { queue.check() } }
            }
        }
        print(failures == 0 ? "all \(count) passed" : "\(failures) of \(count) failed")
        if failures > 0 { throw ExitCode(1) }
    }
}
