import ArgumentParser

/// The program: one subcommand a file.
@main struct DPMSim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dpmsim",
        abstract: "Simulates Data Protection Manager protecting Hyper-V machines, and reports what a planner asks.",
        discussion: """
            Exit status: 0 done, 1 an expectation failed or disks differ, 2 bad input, 3 a fault while running, 64 wrong usage.
            Colour is left out where NO_COLOR is set or the output is not a terminal.
            """,
        version: dpmsimVersion,
        subcommands: [
            RunCommand.self, TestCommand.self, FuzzCommand.self, DrillCommand.self, CalibrateCommand.self,
            CheckCommand.self, ExplainCommand.self,
            SchemaCommand.self, RulesCommand.self, Validate.self, ImageCommand.self, PoolCommand.self, TapeCommand.self,
            FilesCommand.self,
        ])
}
