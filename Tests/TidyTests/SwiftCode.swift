/// Swift text without what is not code: comments and the insides of string literals become blanks, line by line.
enum SwiftCode {
    private enum Context { case code, interpolation(depth: Int), string(hashes: Int, isMultiline: Bool) }

    /// Of the same lines as `text`; what stands in an interpolation stays.
    static func only(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var contexts: [Context] = [.code]
        var at = 0

        func matches(_ pattern: String, at index: Int) -> Bool {
            let wanted = Array(pattern.utf8)
            return index + wanted.count <= bytes.count && Array(bytes[index..<(index + wanted.count)]) == wanted
        }
        func blank(_ count: Int) {
            for byte in bytes[at..<min(at + count, bytes.count)] { out.append(byte == 10 ? 10 : 32) }
            at += count
        }

        while at < bytes.count {
            if case .string(let hashes, let isMultiline) = contexts.last {
                let guards = String(repeating: "#", count: hashes)
                if matches("\\" + guards + "(", at: at) {
                    blank(hashes + 2)
                    contexts.append(.interpolation(depth: 0))
                } else if matches("\\" + guards, at: at) {
                    blank(hashes + 2)
                } else if matches((isMultiline ? "\"\"\"" : "\"") + guards, at: at) {
                    blank((isMultiline ? 3 : 1) + hashes)
                    contexts.removeLast()
                } else {
                    blank(1)
                }
                continue
            }
            if matches("//", at: at) {
                while at < bytes.count, bytes[at] != 10 { blank(1) }
            } else if matches("/*", at: at) {
                var depth = 0
                repeat {
                    if matches("/*", at: at) {
                        depth += 1
                        blank(2)
                    } else if matches("*/", at: at) {
                        depth -= 1
                        blank(2)
                    } else {
                        blank(1)
                    }
                } while depth > 0 && at < bytes.count
            } else if let literal = stringStart(in: bytes, at: at) {
                contexts.append(.string(hashes: literal.hashes, isMultiline: literal.isMultiline))
                blank(literal.hashes + (literal.isMultiline ? 3 : 1))
            } else {
                if case .interpolation(let depth) = contexts.last {
                    if bytes[at] == UInt8(ascii: "(") {
                        contexts[contexts.count - 1] = .interpolation(depth: depth + 1)
                    } else if bytes[at] == UInt8(ascii: ")") {
                        if depth == 0 {
                            contexts.removeLast()
                            blank(1)
                            continue
                        }
                        contexts[contexts.count - 1] = .interpolation(depth: depth - 1)
                    }
                }
                out.append(bytes[at])
                at += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func stringStart(in bytes: [UInt8], at start: Int) -> (hashes: Int, isMultiline: Bool)? {
        var quote = start
        while quote < bytes.count, bytes[quote] == UInt8(ascii: "#") { quote += 1 }
        guard quote < bytes.count, bytes[quote] == UInt8(ascii: "\"") else { return nil }
        let isMultiline =
            quote + 2 < bytes.count && bytes[quote + 1] == UInt8(ascii: "\"") && bytes[quote + 2] == UInt8(ascii: "\"")
        return (quote - start, isMultiline)
    }
}
