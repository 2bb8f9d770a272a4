/// Rows as comma-separated values (RFC 4180): CR LF, quotes where needed.
struct CSVText {
    private(set) var bytes: [UInt8] = []
    var text: String { String(decoding: bytes, as: UTF8.self) }

    init(_ headings: [String]) { add(headings) }

    mutating func add(_ values: [String]) {
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            // A name that begins like a formula would be computed by a spreadsheet; a number's sign is harmless.
            let isFormula = value.utf8.first.map { "=@+-".utf8.contains($0) } == true && Double(value) == nil
            let isQuoted = isFormula || value.utf8.contains { $0 == 34 || $0 == 44 || $0 == 10 || $0 == 13 }
            if isQuoted { bytes.append(34) }
            if isFormula { bytes.append(UInt8(ascii: "'")) }
            for byte in value.utf8 {
                if byte == 34 { bytes.append(34) }
                bytes.append(byte)
            }
            if isQuoted { bytes.append(34) }
        }
        bytes += [13, 10]
    }
}
