internal import Protection
internal import Units

extension Builder {
    /// Which column of a table holds a key's values, and the unit of its bare numbers.
    private struct Column {
        var key: String
        var index: Int
        var unit: String?
    }

    func buildInventories() {
        for document in documents {
            for item in document.oneOrMany("inventory") ?? [] {
                guard let fields = Fields(item, "inventory", report: report) else { continue }
                readInventory(fields)
            }
        }
    }

    private func readInventory(_ fields: Fields) {
        let isByDisk = fields.choice("rows") == "disks"
        let defaults = fields.item("defaults").flatMap { Fields.layer($0, Tables.named("template"), report: report) }
        guard let fileItem = fields.item("file"), let name = report.text(fileItem) else { return }
        let file = Documents.join(fields.spot.file, name)
        guard let table = table(file, fileItem, fields) else { return }
        guard let columns = columns(fields, table, file) else { return }
        guard fits(table.rows.count, beside: world.machines.count, limit: Builder.machineLimit, "machines", fields)
        else {
            return
        }

        var behind: [Fields.Layer] = []
        if let defaults { behind.append(defaults) }
        if let template = fields.item("template") { behind.append(["template": template]) }
        var notes = Fields.Notes.all
        func fieldsOf(_ row: CSVTable.Row) -> Fields {
            let layer = layer(row, columns, table, file)
            let spot = Spot(file: file, line: row.line, column: 1)
            let path = layer["name"]?.text ?? "row"
            var result = Fields(
                report: report, table: Tables.named("machine"), path: path, spot: spot, layers: [layer] + behind)
            result.notes = notes
            addTemplates(to: &result)
            // What all rows share is noted once, with the first.
            notes = .cells
            return result
        }

        if isByDisk { return addByDisk(table.rows.map(fieldsOf)) }
        var seats: [String: Seat] = [:]
        for row in table.rows {
            let machine = fieldsOf(row)
            guard let name = inventoryName(machine), let attributes = attributes(machine),
                let seat = sharedSeat(machine, &seats)
            else { continue }
            addMachine(name, attributes, seat, machine)
        }
    }

    /// Rows of disks: those of one name make one machine, its other attributes from the first.
    private func addByDisk(_ rows: [Fields]) {
        var order: [String] = []
        var byName: [String: [Fields]] = [:]
        for row in rows {
            guard let name = inventoryName(row) else { continue }
            if byName[name] == nil { order.append(name) }
            byName[name, default: []].append(row)
        }
        var seats: [String: Seat] = [:]
        for name in order {
            let rows = byName[name]!
            let disks = rows.compactMap { row in
                guard row.has("size") else {
                    report.problem(row.spot, row.path, expected: "the key size: \(Bytes.expected)", found: "none")
                    return MachineAttributes.Disk?.none
                }
                return disk(row, volume: row.item("volume"))
            }
            guard let attributes = attributes(rows[0], disks: disks), let seat = sharedSeat(rows[0], &seats) else {
                continue
            }
            addMachine(name, attributes, seat, rows[0])
        }
    }

    /// Rows that name the same computers and volumes share a seat, so that their volumes are looked up once.
    private func sharedSeat(_ fields: Fields, _ seats: inout [String: Seat]) -> Seat? {
        let key = ["host", "cluster", "volume"].map { key in
            fields.layerIndex(of: key).map { "\($0) \(fields.layers[$0][key]?.shown ?? "")" } ?? "-"
        }.joined(separator: "|")
        if let seat = seats[key] { return seat }
        let seat = seat(fields)
        if let seat { seats[key] = seat }
        return seat
    }

    private func inventoryName(_ fields: Fields) -> String? {
        guard let item = fields.item("name"), let text = report.text(item) else { return nil }
        guard text.utf8.count <= 200, !text.contains("{"), !Glob.isOne(text) else {
            report.problem(item, expected: "a machine's name of at most 200 bytes, without { * ?")
            return nil
        }
        return text
    }

    private func table(_ file: String, _ item: Item, _ fields: Fields) -> CSVTable? {
        let separators = ["comma": UInt8(ascii: ","), "semicolon": UInt8(ascii: ";"), "tab": 9]
        let separator = fields.has("separator") ? fields.choice("separator").flatMap { separators[$0] } : nil
        let bytes: [UInt8]
        do { bytes = try source.bytes(of: file) } catch {
            let cause = (error as? UnreadableFile)?.cause ?? "\(error)"
            report.problem(
                item, expected: "a CSV file", found: "\(cause): \(quoted(file))",
                hint: "Names of files are relative to the file that has them")
            return nil
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            report.problem(
                Spot(file: file, line: 1, column: 1), "", expected: "text in UTF-8", found: "other bytes",
                hint: "Export with -Encoding UTF8")
            return nil
        }
        var defects: [CSVTable.Defect] = []
        var table: CSVTable?
        do { table = try CSVTable(text, separator: separator, defects: &defects) } catch {
            if let defect = error as? CSVTable.Defect { defects.append(defect) }
        }
        for defect in defects {
            report.problem(
                Spot(file: file, line: defect.line, column: 1), "", expected: defect.expected, found: defect.found,
                hint: defect.hint)
        }
        return table
    }

    private func columns(_ fields: Fields, _ table: CSVTable, _ file: String) -> [Column]? {
        let keys = ["name"] + Tables.machineKeys.map(\.key).filter { $0 != "disks" }
        var result: [Column] = []
        let lowered = table.header.map { $0.lowercased() }
        if let mapping = fields.record("columns") {
            for key in keys {
                guard mapping.has(key), let item = mapping.item(key) else { continue }
                var (nameItem, unit) = (item, String?.none)
                if case .mapping = item.content {
                    guard let column = Fields(item, "column", report: report), let named = column.item("column") else {
                        continue
                    }
                    (nameItem, unit) = (named, column.has("unit") ? column.choice("unit") : nil)
                }
                guard let name = report.text(nameItem) else { continue }
                guard let index = lowered.firstIndex(of: name.lowercased()) else {
                    report.problem(
                        nameItem, expected: "a column of \(file)",
                        hint: suggestion(for: name, among: table.header, kind: "column"))
                    continue
                }
                result.append(Column(key: key, index: index, unit: unit ?? self.unit(in: table.header[index])))
            }
        } else {
            for key in keys {
                let usual = Tables.usualColumns[key] ?? []
                guard let index = usual.lazy.compactMap({ lowered.firstIndex(of: $0) }).first else { continue }
                result.append(Column(key: key, index: index, unit: unit(in: table.header[index])))
                report.note(
                    fields.path("columns.\(key)"), table.header[index],
                    .default(name: "inventory.columns", source: "the column's usual name"))
            }
        }
        guard result.contains(where: { $0.key == "name" }) else {
            let hint =
                "Say which with columns: {name: ...}; the file has " + table.header.prefix(20).joined(separator: ", ")
            report.problem(
                Spot(file: file, line: table.headerLine, column: 1), "", expected: "a column with machines' names",
                found: "none", hint: hint)
            return nil
        }
        return result
    }

    /// `Provisioned MiB`, `SizeGB`: a unit at the end of a column's name.
    private func unit(in header: String) -> String? {
        Tables.unitWords.filter { header.hasSuffix($0) && $0.count > 1 }.max { $0.count < $1.count }
    }

    private func layer(_ row: CSVTable.Row, _ columns: [Column], _ table: CSVTable, _ file: String) -> Fields.Layer {
        var layer: Fields.Layer = [:]
        let name = columns.first { $0.key == "name" }.map { CSVTable.trimmed(row.fields[$0.index]) } ?? "row"
        for column in columns {
            let raw = CSVTable.trimmed(row.fields[column.index])
            if raw.isEmpty { if column.key != "name" { continue } }
            let spot = Spot(file: file, line: row.line, column: column.index + 1)
            layer[column.key] = Item(text: cell(raw, column), spot: spot, path: "\(name).\(column.key)")
        }
        return layer
    }

    /// A cell's text as a scenario would say it.
    private func cell(_ raw: String, _ column: Column) -> String {
        switch column.key {
        case "size", "used", "churn", "working-set", "page-file", "growth":
            guard let unit = column.unit, let last = raw.utf8.last, last >= 48, last <= 57 else { return raw }
            return "\(withoutThousands(raw)) \(unit)"
        case "guest": return guest(raw)
        case "power":
            return ["poweredon": "running", "poweredoff": "off", "suspended": "saved", "paused": "saved"][
                raw.lowercased()] ?? raw
        case "host":
            // Exports often have full names where the scenario has short ones.
            if hosts.place(of: raw) == nil, let short = raw.split(separator: ".").first { return String(short) }
            return raw
        default: return raw
        }
    }

    /// `102,400` as some exports write it becomes `102400`; anything else stays.
    private func withoutThousands(_ text: String) -> String {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count > 1, (1...3).contains(parts[0].count),
            parts.dropFirst().allSatisfy({ $0.prefix(3).count == 3 && ($0.count == 3 || $0.dropFirst(3).first == ".") })
        else { return text }
        return parts.joined()
    }

    /// The systems backup tells apart, from the names exports give them; an unknown text stays, to be reported.
    private func guest(_ raw: String) -> String {
        let text = raw.lowercased()
        if GuestSystem(rawValue: text) != nil { return text }
        let linux = ["linux", "ubuntu", "debian", "centos", "red hat", "suse", "rocky", "alma", "fedora"]
        if linux.contains(where: text.contains) { return "linux" }
        guard text.contains("windows") else { return text.contains("other") || text.contains("bsd") ? "other" : raw }
        let years: [(String, GuestSystem)] = [
            ("2019", .windows2019), ("2022", .windows2019), ("2016", .windows2016), ("2012", .windows2012R2),
            ("2008", .windows2008), ("2003", .windows2003), ("2000", .windows2000), ("windows 1", .windows2016),
            ("windows 8", .windows2012R2), ("windows 7", .windows2008),
        ]
        return years.first { text.contains($0.0) }?.1.rawValue ?? raw
    }
}
