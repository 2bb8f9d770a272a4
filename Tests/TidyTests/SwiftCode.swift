private let (slash, star, backslash, quote) = (
    UInt8(ascii: "/"), UInt8(ascii: "*"), UInt8(ascii: "\\"), UInt8(ascii: "\"")
)
private let (hash, open, close) = (UInt8(ascii: "#"), UInt8(ascii: "("), UInt8(ascii: ")"))

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

        func byte(_ index: Int) -> UInt8 { index < bytes.count ? bytes[index] : 0 }
        /// `count` hash signs stand at `index`.
        func hasHashes(_ count: Int, at index: Int) -> Bool { (0..<count).allSatisfy { byte(index + $0) == hash } }
        func blank(_ count: Int) {
            for byte in bytes[at..<min(at + count, bytes.count)] { out.append(byte == 10 ? 10 : 32) }
            at += count
        }

        while at < bytes.count {
            if case .string(let hashes, let isMultiline) = contexts.last {
                let quotes = isMultiline ? 3 : 1
                if byte(at) == backslash, hasHashes(hashes, at: at + 1) {
                    if byte(at + 1 + hashes) == open { contexts.append(.interpolation(depth: 0)) }
                    blank(hashes + 2)
                } else if byte(at) == quote, (0..<quotes).allSatisfy({ byte(at + $0) == quote }),
                    hasHashes(hashes, at: at + quotes)
                {
                    blank(quotes + hashes)
                    contexts.removeLast()
                } else {
                    blank(1)
                }
                continue
            }
            let current = byte(at)
            if current == slash, byte(at + 1) == slash {
                while at < bytes.count, bytes[at] != 10 { blank(1) }
            } else if byte(at) == slash, byte(at + 1) == star {
                var depth = 0
                repeat {
                    if byte(at) == slash, byte(at + 1) == star {
                        depth += 1
                        blank(2)
                    } else if byte(at) == star, byte(at + 1) == slash {
                        depth -= 1
                        blank(2)
                    } else {
                        blank(1)
                    }
                } while depth > 0 && at < bytes.count
            } else if current == quote || current == hash, let literal = stringStart(in: bytes, at: at) {
                contexts.append(.string(hashes: literal.hashes, isMultiline: literal.isMultiline))
                blank(literal.hashes + (literal.isMultiline ? 3 : 1))
            } else {
                if case .interpolation(let depth) = contexts.last {
                    if bytes[at] == open {
                        contexts[contexts.count - 1] = .interpolation(depth: depth + 1)
                    } else if bytes[at] == close {
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
        var at = start
        while at < bytes.count, bytes[at] == hash { at += 1 }
        guard at < bytes.count, bytes[at] == quote else { return nil }
        let isMultiline =
            at + 2 < bytes.count && bytes[at + 1] == quote && bytes[at + 2] == quote
        return (at - start, isMultiline)
    }
}
