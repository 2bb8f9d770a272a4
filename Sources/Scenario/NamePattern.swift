/// A name with ranges in braces that stands for many: `web-{001..400}`.
struct NamePattern {
    enum Part {
        case text(String)
        case range(first: Int, last: Int, width: Int)
    }
    private var parts: [Part] = []
    private(set) var count = 1

    static let limit = 1_000_000
    static let expected =
        "a name, or a pattern such as web-{001..400} for at most \(limit) names, in letters, digits and - _ . ( ) space"

    /// Nil if a brace is not a range, a range runs backwards, or it stands for more than `limit` names.
    init?(_ text: String) {
        guard !text.isEmpty, text.utf8.count <= 200 else { return nil }
        var plain = ""
        var rest = Substring(text)
        while let character = rest.first {
            rest = rest.dropFirst()
            if character == "{" {
                guard let close = rest.firstIndex(of: "}") else { return nil }
                let inside = rest[..<close]
                rest = rest[rest.index(after: close)...]
                guard let dots = inside.firstRange(ofDots: ()) else { return nil }
                let (low, high) = (inside[..<dots.lower], inside[dots.upper...])
                guard low.count <= 7, high.count <= 7, low.utf8.allSatisfy(isDigit), high.utf8.allSatisfy(isDigit),
                    let first = Int(low), let last = Int(high), first <= last
                else { return nil }
                if !plain.isEmpty { parts.append(.text(plain)) }
                plain = ""
                parts.append(.range(first: first, last: last, width: low.count))
                count *= last - first + 1
                guard count <= NamePattern.limit else { return nil }
            } else {
                guard character.isLetter || character.isNumber || "-_.() ".contains(character) else { return nil }
                plain.append(character)
            }
        }
        if !plain.isEmpty { parts.append(.text(plain)) }
    }

    /// All names, the last range running fastest.
    var names: [String] {
        var result = [""]
        for part in parts {
            switch part {
            case .text(let text): for index in result.indices { result[index] += text }
            case .range(let first, let last, let width):
                var next: [String] = []
                next.reserveCapacity(result.count * (last - first + 1))
                for prefix in result {
                    for number in first...last {
                        let digits = String(number)
                        next.append(prefix + String(repeating: "0", count: max(0, width - digits.count)) + digits)
                    }
                }
                result = next
            }
        }
        return result
    }
}

private func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }

extension Substring {
    fileprivate func firstRange(ofDots: Void) -> (lower: Index, upper: Index)? {
        var at = startIndex
        while at < endIndex {
            let next = index(after: at)
            if self[at] == ".", next < endIndex, self[next] == "." { return (at, index(after: next)) }
            at = next
        }
        return nil
    }
}

/// A wildcard for names: `*` for any run of characters, `?` for one. Letters match in either case.
struct Glob {
    private let pattern: [UInt8]
    init(_ text: String) { pattern = Array(text.lowercased().utf8) }
    static func isOne(_ text: String) -> Bool {
        text.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }
    }

    /// - Parameter name: in lower case.
    func matches(_ name: String) -> Bool {
        var name = name
        return name.withUTF8 { bytes in
            var (p, n, star, mark) = (0, 0, -1, 0)
            while n < bytes.count {
                if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                    (star, mark) = (p, n)
                    p += 1
                } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == bytes[n] {
                    (p, n) = (p + 1, n + 1)
                } else if star >= 0 {
                    mark += 1
                    (p, n) = (star + 1, mark)
                } else {
                    return false
                }
            }
            return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
        }
    }
}
