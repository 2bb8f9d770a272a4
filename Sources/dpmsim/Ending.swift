import ArgumentParser

/// The program's exit statuses. 64 for wrong usage is ArgumentParser's own.
enum Ending {
    static let expectationFailed = ExitCode(1)
    static let badInput = ExitCode(2)
    static let fault = ExitCode(3)
    /// As a shell reports a program that Control-C ended.
    static let interrupted = ExitCode(130)
}

/// Why the program cannot do what it was asked: what it concerns, the cause, and what to do.
struct Complaint: Error, Hashable, CustomStringConvertible {
    var object: String
    var cause: String
    var action: String
    /// Something broke on the way, rather than that something impossible was asked.
    var isFault = false
    var status: ExitCode { isFault ? Ending.fault : Ending.badInput }
    var description: String { "\(object): \(cause). \(action)." }

    /// Prints it on standard error.
    func print() {
        let terminal = Terminal.errors
        terminal.line(terminal.styled("error:", .red) + " \(self)")
    }
}
