import Files

/// What a client may be told of an export.
struct NBDExportFacts: Hashable, Sendable {
    var name: String
    var description: String
    /// Bytes.
    var size: Int64
    var isWritable: Bool
    /// Of a logical sector, bytes; writes are whole ones.
    var sectorSize: Int

    var flags: UInt16 {
        typealias Flag = NBD.ExportFlag
        let always = Flag.hasFlags | Flag.sendFlush | Flag.sendDF | Flag.multipleConnections | Flag.sendCache
        return always
            | (isWritable ? Flag.sendFUA | Flag.sendTrim | Flag.sendWriteZeroes : Flag.readOnly)
    }

    /// The smallest, the preferred and the greatest block, bytes.
    var blockSizes: [UInt32] {
        [isWritable ? UInt32(sectorSize) : 1, 65_536, UInt32(NBD.maximumTransfer)]
    }
}

/// One client's haggling over options: takes each option as it came and says what to answer. Knows no sockets.
struct NBDHandshake {
    enum Outcome: Hashable, Sendable {
        /// The next option follows.
        case more
        /// Requests follow, for this export.
        case transmission(export: Int)
        /// The connection ends.
        case end
    }

    /// In the order in which they are listed; an empty name asked for means the first.
    let exports: [NBDExportFacts]
    private let leavesOutZeroes: Bool
    private(set) var hasStructuredReplies = false
    /// The export whose `base:allocation` was chosen.
    private var contextExport: Int?

    /// Nil if the client's flags are not understood, which ends the connection.
    init?(clientFlags: UInt32, exports: [NBDExportFacts]) {
        let known = UInt32(NBD.HandshakeFlag.fixedNewstyle | NBD.HandshakeFlag.noZeroes)
        guard clientFlags & ~known == 0 else { return nil }
        leavesOutZeroes = clientFlags & UInt32(NBD.HandshakeFlag.noZeroes) != 0
        self.exports = exports
    }

    /// Whether block status may be asked for `export`.
    func hasContext(_ export: Int) -> Bool { hasStructuredReplies && contextExport == export }

    mutating func answer(_ option: UInt32, _ data: [UInt8]) -> (bytes: [UInt8], outcome: Outcome) {
        switch option {
        case NBD.Option.exportName: return exportName(data)
        case NBD.Option.abort: return (NBDMessage.optionReply(option, NBD.Reply.ack), .end)
        case NBD.Option.list: return (list(data), .more)
        case NBD.Option.info, NBD.Option.go: return info(option, data)
        case NBD.Option.structuredReply:
            guard data.isEmpty else { return (refusal(option, NBD.Reply.invalid, "this option has no data"), .more) }
            hasStructuredReplies = true
            return (NBDMessage.optionReply(option, NBD.Reply.ack), .more)
        case NBD.Option.listMetaContext, NBD.Option.setMetaContext: return (metaContext(option, data), .more)
        default: return (refusal(option, NBD.Reply.unsupported, "this server does not know the option"), .more)
        }
    }

    private func refusal(_ option: UInt32, _ type: UInt32, _ text: String) -> [UInt8] {
        NBDMessage.optionReply(option, type, NBDMessage.bounded(text))
    }

    private func export(named name: String) -> Int? {
        if let index = exports.firstIndex(where: { $0.name == name }) { return index }
        return name.isEmpty && !exports.isEmpty ? 0 : nil
    }

    private func exportName(_ data: [UInt8]) -> ([UInt8], Outcome) {
        var fields = NBDFields(data)
        // This option has no way to refuse but to hang up.
        guard let name = fields.string(UInt32(data.count)), let index = export(named: name) else { return ([], .end) }
        var out: [UInt8] = []
        out.appendBig(UInt64(exports[index].size))
        out.appendBig(exports[index].flags)
        if !leavesOutZeroes { out += [UInt8](repeating: 0, count: 124) }
        return (out, .transmission(export: index))
    }

    private func list(_ data: [UInt8]) -> [UInt8] {
        guard data.isEmpty else { return refusal(NBD.Option.list, NBD.Reply.invalid, "this option has no data") }
        let entries = exports.map { export in
            let name = NBDMessage.bounded(export.name)
            var entry: [UInt8] = []
            entry.appendBig(UInt32(name.count))
            return NBDMessage.optionReply(
                NBD.Option.list, NBD.Reply.server, entry + name + NBDMessage.bounded(export.description))
        }
        return Array(entries.joined()) + NBDMessage.optionReply(NBD.Option.list, NBD.Reply.ack)
    }

    private mutating func info(_ option: UInt32, _ data: [UInt8]) -> ([UInt8], Outcome) {
        var fields = NBDFields(data)
        guard let count = fields.next(UInt32.self), let name = fields.string(count),
            let requests = fields.next(UInt16.self)
        else { return (refusal(option, NBD.Reply.invalid, "the option's data is malformed"), .more) }
        var wanted: [UInt16] = []
        for _ in 0..<requests {
            guard let request = fields.next(UInt16.self) else {
                return (refusal(option, NBD.Reply.invalid, "fewer information requests came than announced"), .more)
            }
            wanted.append(request)
        }
        guard fields.isAtEnd else {
            return (refusal(option, NBD.Reply.invalid, "the option's data is longer than it should be"), .more)
        }
        guard let index = export(named: name) else {
            return (refusal(option, NBD.Reply.unknown, "there is no export of that name"), .more)
        }
        let export = exports[index]
        var facts: [UInt8] = []
        facts.appendBig(NBD.Info.export)
        facts.appendBig(UInt64(export.size))
        facts.appendBig(export.flags)
        var out = NBDMessage.optionReply(option, NBD.Reply.info, facts)
        if wanted.contains(NBD.Info.name) { out += text(option, NBD.Info.name, export.name) }
        if wanted.contains(NBD.Info.description) { out += text(option, NBD.Info.description, export.description) }
        if wanted.contains(NBD.Info.blockSize) {
            var sizes: [UInt8] = []
            sizes.appendBig(NBD.Info.blockSize)
            for size in export.blockSizes { sizes.appendBig(size) }
            out += NBDMessage.optionReply(option, NBD.Reply.info, sizes)
        }
        out += NBDMessage.optionReply(option, NBD.Reply.ack)
        return (out, option == NBD.Option.go ? .transmission(export: index) : .more)
    }

    private func text(_ option: UInt32, _ type: UInt16, _ text: String) -> [UInt8] {
        var data: [UInt8] = []
        data.appendBig(type)
        return NBDMessage.optionReply(option, NBD.Reply.info, data + NBDMessage.bounded(text))
    }

    private mutating func metaContext(_ option: UInt32, _ data: [UInt8]) -> [UInt8] {
        let chooses = option == NBD.Option.setMetaContext
        // A choice that fails leaves none.
        if chooses { contextExport = nil }
        guard hasStructuredReplies else {
            return refusal(option, NBD.Reply.invalid, "structured replies must be agreed on first")
        }
        var fields = NBDFields(data)
        guard let length = fields.next(UInt32.self), let name = fields.string(length),
            let count = fields.next(UInt32.self)
        else { return refusal(option, NBD.Reply.invalid, "the option's data is malformed") }
        var queries: [String] = []
        // Each query takes four bytes at least, so the option's length bounds them.
        for _ in 0..<min(count, UInt32(NBD.maximumOption)) {
            guard let length = fields.next(UInt32.self), let query = fields.string(length) else {
                return refusal(option, NBD.Reply.invalid, "the option's queries are malformed")
            }
            queries.append(query)
        }
        guard fields.isAtEnd else {
            return refusal(option, NBD.Reply.invalid, "the option's data is longer than it should be")
        }
        guard let index = export(named: name) else {
            return refusal(option, NBD.Reply.unknown, "there is no export of that name")
        }
        let named = queries.contains(NBD.allocationContextName)
        let listed = !chooses && (queries.isEmpty || queries.contains("base:"))
        var out: [UInt8] = []
        if named || listed {
            var reply: [UInt8] = []
            reply.appendBig(chooses ? NBD.allocationContext : 0)
            reply += Array(NBD.allocationContextName.utf8)
            out = NBDMessage.optionReply(option, NBD.Reply.metaContext, reply)
        }
        if chooses, named { contextExport = index }
        return out + NBDMessage.optionReply(option, NBD.Reply.ack)
    }
}
