public import Files

/// One span of a set as a medium's structures in the clear tell of it. What is hidden on an encrypted set is empty
/// here.
public struct SetEntry: Hashable, Sendable {
    public enum State: String, Hashable, Sendable {
        /// It ends on this medium.
        case whole
        /// It goes on on the next medium.
        case continues
        /// It has no end: its writing was interrupted, or its end cannot be read.
        case unfinished
    }
    /// Zero for a set of another program.
    public var set: GUID
    /// Of the family, from 1.
    public var number: Int
    /// From 1.
    public var span: UInt32
    /// Which medium of the family the span lies on.
    public var sequence: Int
    /// Tape file of its data on that medium: the first set's is 1, the next one's 3.
    public var tapeFile: Int64
    /// Record of its SSET on that medium, as it says itself.
    public var object: Int64
    /// The set's identifier if it is encrypted.
    public var name: String
    public var description: String
    public var datasource: String
    public var machine: String
    public var user: String
    public var date: Int64?
    public var expiry: Int64?
    public var files: Int
    public var isEncrypted: Bool
    public var isCompressed: Bool
    public var isPlain: Bool
    public var recordLength: Int
    public var state: State

    init(
        _ setStart: Block, volume: Block?, sequence: Int, tapeFile: Int64, state: State
    ) throws(StorageFault) {
        guard case .setStart(let facts) = setStart.content else { throw .mtf("set", "it does not begin with SSET") }
        let clear = try ClearFacts(osData: setStart.osData, at: "set \(facts.number)")
        set = clear.flatMap { GUID($0.set) } ?? .zero
        number = Int(facts.number)
        span = clear?.span ?? 1
        (self.sequence, self.tapeFile, self.state) = (sequence, tapeFile, state)
        object = Int64(clamping: facts.object)
        (name, description, user) = (facts.name, facts.description, facts.user)
        var (datasource, machine) = (clear?.datasource ?? "", "")
        if case .volume(let volume) = volume?.content {
            machine = volume.machine
            if datasource.isEmpty { datasource = volume.volume }
        }
        (self.datasource, self.machine) = (datasource, machine)
        date = clear?.date ?? facts.date
        expiry = clear?.expiry
        files = clear?.files ?? 0
        isEncrypted = clear?.encrypted ?? (setStart.header.attributes & BlockAttributes.encryption != 0)
        isCompressed = clear?.compressed ?? false
        isPlain = clear?.plain ?? true
        recordLength = clear?.record ?? 1 << 20
    }
}

/// What a medium says is on it.
public struct TapeContents: Sendable {
    public var label: TapeLabel
    /// On this medium, in their order.
    public var sets: [SetEntry]
    /// Spans on earlier media of the family, as the last catalog tells.
    public var earlier: [SetEntry]
    /// From the catalog behind the last set; otherwise by walking from set to set.
    public var isFromCatalog: Bool
    /// Of the newest seal; to be held against what the library's catalog keeps. Nil if that seal cannot be read.
    public var chain: [UInt8]?
    /// What could not be read.
    public var faults: [StorageFault]

    /// Lists a medium's sets: one LOCATE to its end, or, if the catalog there cannot be read, one a set. Needs no key.
    /// - Throws: what `TapeLabel.read` throws, and what a medium throws that cannot be read at all.
    public static func of(_ tape: any TapeMedium) throws(StorageFault) -> TapeContents {
        let tail = try TapeTail(of: tape)
        let sequence = tail.head.label.sequence
        var contents = TapeContents(
            label: tail.head.label, sets: [], earlier: [], isFromCatalog: false,
            chain: tail.chain == TapeTail.brokenChain ? nil : tail.chain, faults: tail.faults)
        if let map = tail.map, tail.continuing == nil {
            do throws(StorageFault) {
                let all = try entries(in: map)
                contents.sets = all.filter { $0.sequence == sequence }
                contents.earlier = all.filter { $0.sequence != sequence }
                contents.isFromCatalog = true
            } catch { contents.faults.append(error) }
        }
        if !contents.isFromCatalog {
            let walk = SetWalk(of: tape, tail: tail)
            contents.sets = walk.entries
            contents.faults += walk.faults
        } else if let file = tail.unfinished {
            let walk = SetWalk(of: tape, files: file..<file + 1, tail: tail)
            contents.sets += walk.entries
        }
        return contents
    }

    /// The spans that a MAP2 tells of.
    static func entries(in map: [Block]) throws(StorageFault) -> [SetEntry] {
        var entries: [SetEntry] = []
        var counts: [Int: Int] = [:]
        for (index, block) in map.enumerated() {
            switch block.content {
            case .setStart:
                let volume = index + 1 < map.count ? map[index + 1] : nil
                let sequence = Int(block.header.medium)
                let before = counts[sequence, default: 0]
                counts[sequence] = before + 1
                entries.append(
                    try SetEntry(
                        block, volume: volume, sequence: sequence, tapeFile: Int64(1 + 2 * before), state: .continues))
            case .setEnd where !entries.isEmpty:
                let isAborted = block.header.attributes & BlockAttributes.aborted != 0
                entries[entries.count - 1].state = isAborted ? .unfinished : .whole
            default: break
            }
        }
        return entries
    }
}

/// The sets of a medium, found by going from filemark to filemark, for when its catalog cannot be read.
struct SetWalk {
    private(set) var entries: [SetEntry] = []
    /// Copies of their blocks, as MAP2 would hold them.
    private(set) var map: [Block] = []
    private(set) var faults: [StorageFault] = []

    init(of tape: any TapeMedium, tail: TapeTail) {
        self.init(of: tape, files: 1..<max(1, tail.unfinished.map { $0 + 1 } ?? tail.files), tail: tail)
    }

    /// - Parameter files: tape files to look at.
    init(of tape: any TapeMedium, files: Range<Int64>, tail: TapeTail) {
        let sequence = tail.head.label.sequence
        var open: Int?
        for file in files {
            do throws(StorageFault) {
                try tape.locate(file: file, partition: 0)
                let reader = FlatReader(tape)
                guard var block = try reader.block() else { continue }
                block.header.medium = UInt16(truncatingIfNeeded: sequence)
                switch block.content {
                case .setStart:
                    while let stream = try reader.stream() { try reader.skip(Int64(stream.length)) }
                    var volume = try reader.block()
                    volume?.header.medium = UInt16(truncatingIfNeeded: sequence)
                    map.append(block)
                    if let volume { map.append(volume) }
                    entries.append(
                        try SetEntry(
                            block, volume: volume, sequence: sequence, tapeFile: file, state: .unfinished))
                    open = entries.count - 1
                case .setEnd:
                    map.append(block)
                    if let open, block.header.attributes & BlockAttributes.aborted == 0 { entries[open].state = .whole }
                    open = nil
                case .tapeEnd:
                    if let open { entries[open].state = .continues }
                    open = nil
                default: break
                }
            } catch { faults.append(error) }
        }
    }
}
