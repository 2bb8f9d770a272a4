/// A table of comma or semicolon separated values (RFC 4180), as PowerShell's Export-Csv and RVTools write it: with or
/// without a byte order mark and a `#TYPE` line, fields in quotes where needed, line ends inside quotes kept.
struct CSVTable {
    struct Row {
        /// The line of the file on which it starts.
        var line: Int
        var fields: [String]
    }
    var header: [String] = []
    var rows: [Row] = []
    var headerLine = 1

    struct Defect: Error {
        var line: Int
        var expected: String
        var found: String
        var hint = ""
    }
    static let rowLimit = 1_000_000

    /// Rows whose number of fields is not the header's are left out and reported in `defects`.
    /// - Throws: `Defect` where the text as a whole cannot be read.
    init(_ text: String, separator: UInt8?, defects: inout [Defect]) throws {
        var text = text
        if text.unicodeScalars.first?.value == 0xFEFF { text.unicodeScalars.removeFirst() }
        let separator = separator ?? CSVTable.separator(of: text)
        var records: [Row] = []
        try text.withUTF8 { try CSVTable.split($0, separator, into: &records) }
        records.removeAll { $0.fields.count == 1 && ($0.fields[0].isEmpty || $0.fields[0].allSatisfy { $0 == " " }) }
        if let first = records.first, first.fields[0].hasPrefix("#TYPE") { records.removeFirst() }
        guard let first = records.first else {
            throw Defect(line: 1, expected: "a line with the names of the columns", found: "an empty file")
        }
        header = first.fields.map { CSVTable.trimmed($0) }
        headerLine = first.line
        rows.reserveCapacity(records.count)
        for record in records.dropFirst() {
            if record.fields.count == header.count {
                rows.append(record)
            } else {
                defects.append(
                    Defect(
                        line: record.line, expected: "\(header.count) fields, as the line of column names has",
                        found: "\(record.fields.count)", hint: "Put fields that contain the separator in double quotes")
                )
            }
        }
    }

    /// Whichever of comma, semicolon and tab the first line outside quotes has most of.
    private static func separator(of text: String) -> UInt8 {
        var counts: [UInt8: Int] = [:]
        var isQuoted = false
        var seenText = false
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if byte == UInt8(ascii: "\n") {
                // The #TYPE line has no columns.
                if !isQuoted, seenText, counts.values.contains(where: { $0 > 0 }) { break }
                continue
            }
            seenText = true
            if !isQuoted, [44, 59, 9].contains(byte) { counts[byte, default: 0] += 1 }
        }
        let (comma, semicolon, tab) = (counts[44] ?? 0, counts[59] ?? 0, counts[9] ?? 0)
        return semicolon > comma && semicolon >= tab ? 59 : tab > comma ? 9 : 44
    }

    private static func split(_ bytes: UnsafeBufferPointer<UInt8>, _ separator: UInt8, into rows: inout [Row]) throws {
        let quote = UInt8(ascii: "\"")
        let (newline, carriageReturn) = (UInt8(ascii: "\n"), UInt8(ascii: "\r"))
        var (line, at) = (1, 0)
        while at < bytes.count {
            guard rows.count <= rowLimit else {
                throw Defect(line: line, expected: "at most \(rowLimit) rows", found: "more")
            }
            var row = Row(line: line, fields: [])
            var endsHere = false
            while !endsHere {
                var field: [UInt8] = []
                if at < bytes.count, bytes[at] == quote {
                    let opened = line
                    at += 1
                    while true {
                        guard at < bytes.count else {
                            throw Defect(
                                line: opened, expected: "a closing double quote", found: "the end of the file",
                                hint: "Write a double quote inside a field twice")
                        }
                        if bytes[at] == quote {
                            guard at + 1 < bytes.count, bytes[at + 1] == quote else { break }
                            at += 1
                        }
                        if bytes[at] == newline { line += 1 }
                        field.append(bytes[at])
                        at += 1
                    }
                    at += 1
                }
                while at < bytes.count, bytes[at] != separator, bytes[at] != newline {
                    if bytes[at] != carriageReturn { field.append(bytes[at]) }
                    at += 1
                }
                row.fields.append(String(decoding: field, as: UTF8.self))
                endsHere = at >= bytes.count || bytes[at] == newline
                at += 1
            }
            line += 1
            rows.append(row)
        }
    }

    static func trimmed(_ text: String) -> String {
        var part = text[...]
        while let first = part.first, first == " " || first == "\u{A0}" { part = part.dropFirst() }
        while let last = part.last, last == " " || last == "\u{A0}" { part = part.dropLast() }
        return String(part)
    }
}
