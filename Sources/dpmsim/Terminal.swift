import Foundation

/// One of the two streams a person reads, and what may be sent to it.
struct Terminal {
    enum Style: String { case bold = "1", dim = "2", red = "31", green = "32", yellow = "33" }

    private let descriptor: Int32
    /// A person is looking: progress may be drawn.
    let isLive: Bool
    /// Escape sequences for colour are wanted.
    let isColoured: Bool

    static let output = Terminal(descriptor: 1)
    static let errors = Terminal(descriptor: 2)

    private init(descriptor: Int32) {
        self.descriptor = descriptor
        let environment = ProcessInfo.processInfo.environment
        let isDumb = environment["TERM"] == "dumb" || environment["TERM"] == nil
        isLive = isatty(descriptor) == 1 && !isDumb && environment["CI"] == nil
        // no-color.org: any non-empty value turns colour off.
        isColoured = isatty(descriptor) == 1 && !isDumb && environment["NO_COLOR", default: ""].isEmpty
    }

    /// `text` in a style, where colour is wanted; unchanged elsewhere.
    func styled(_ text: String, _ style: Style) -> String {
        isColoured ? "\u{1B}[\(style.rawValue)m\(text)\u{1B}[0m" : text
    }

    /// Writes `text` whole and at once, without a buffer, so that the two streams keep their order.
    func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            // The reader has gone; there is nobody left to tell.
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    func line(_ text: String = "") { write(text + "\n") }

    /// Columns of the terminal; nil where there is none, or it does not say.
    var width: Int? {
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }
}
