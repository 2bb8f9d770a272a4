/// A JSON value, printed with sorted keys and two blanks of indent, the same on every machine.
enum JSONText {
    case null
    case bool(Bool)
    case whole(Int64)
    case number(Double)
    case text(String)
    case list([JSONText])
    case object([String: JSONText])

    init(_ value: Double?) { self = value.map { $0.isFinite ? .number($0) : .null } ?? .null }

    var printed: String {
        var out: [UInt8] = []
        write(to: &out, indent: 0)
        out.append(UInt8(ascii: "\n"))
        return String(decoding: out, as: UTF8.self)
    }

    private var isFlat: Bool {
        switch self {
        case .list(let values): values.isEmpty
        case .object(let members): members.isEmpty
        case .null, .bool, .whole, .number, .text: true
        }
    }

    private func write(to out: inout [UInt8], indent: Int) {
        switch self {
        case .null: out += "null".utf8
        case .bool(let value): out += (value ? "true" : "false").utf8
        case .whole(let value): out += "\(value)".utf8
        case .number(let value):
            out += (value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)").utf8
        case .text(let value): JSONText.quote(value, to: &out)
        case .list(let values):
            // Rows of plain values stay on one line: a series of a year is read by machines.
            let inline = values.allSatisfy(\.isFlat)
            out.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                if !inline { JSONText.newLine(indent + 1, &out) } else if index > 0 { out.append(UInt8(ascii: " ")) }
                value.write(to: &out, indent: indent + 1)
            }
            if !inline { JSONText.newLine(indent, &out) }
            out.append(UInt8(ascii: "]"))
        case .object(let members):
            out.append(UInt8(ascii: "{"))
            for (index, key) in members.keys.sorted().enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                JSONText.newLine(indent + 1, &out)
                JSONText.quote(key, to: &out)
                out += ": ".utf8
                members[key]!.write(to: &out, indent: indent + 1)
            }
            if !members.isEmpty { JSONText.newLine(indent, &out) }
            out.append(UInt8(ascii: "}"))
        }
    }

    private static func newLine(_ indent: Int, _ out: inout [UInt8]) {
        out.append(10)
        out += repeatElement(UInt8(ascii: " "), count: 2 * indent)
    }

    private static func quote(_ text: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
            case 10: out += "\\n".utf8
            case 0..<32:
                let digits = String(byte, radix: 16)
                out += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}
