public import Files

/// The tape images of SIMH and its friends (`.tap`): each record between two copies of its length, a filemark as a length of zero.
/// Source: tape-format, section 3.1. All records and filemarks of a tape go there and come back as they were; its bar code, attributes
/// and counters do not.
public enum SimhTape {
    private static let endOfMedium: UInt32 = 0xFFFF_FFFF
    private static let eraseGap: UInt32 = 0xFFFF_FFFE
    /// The upper bits of a length say what class the record is of; only plain ones are taken.
    private static let lengthMask: UInt32 = 0x0FFF_FFFF

    /// Writes partition 0 of a tape to an empty file. The tape stands at its end of data afterwards.
    public static func export(_ tape: any TapeMedium, to file: any StoreFile) throws(StorageFault) -> TapeFacts {
        var facts = TapeFacts()
        var offset: Int64 = 0
        // Length, record, padding, length.
        let buffer = Buffer(count: tape.maximumRecord + 12)
        try tape.locate(object: 0, partition: 0)
        while true {
            switch try tape.read(into: buffer[4..<4 + tape.maximumRecord]) {
            case .endOfData:
                try file.write([UInt8](repeating: 0xFF, count: 4), at: offset)
                try file.flush()
                return facts
            case .filemark:
                facts.filemarks += 1
                try file.write([0, 0, 0, 0], at: offset)
                offset += 4
            case .record(let length):
                facts.records += 1
                facts.bytes += Int64(length)
                let end = 4 + length + length % 2
                if length % 2 == 1 { buffer.bytes[end - 1] = 0 }
                for place in [0, end] {
                    buffer.bytes.storeBytes(of: UInt32(length).littleEndian, toByteOffset: place, as: UInt32.self)
                }
                try file.write(UnsafeRawBufferPointer(buffer[0..<end + 4]), at: offset)
                offset += Int64(end) + 4
            }
        }
    }

    /// Writes what a file holds onto a tape, from its beginning, after the whole file proved to be well formed.
    /// - Throws: `TAPE-SIMH` if the file is no such image, or has a record that the tape cannot take; nothing is written then.
    public static func restore(_ file: any StoreFile, to tape: any TapeMedium) throws(StorageFault) -> TapeFacts {
        let longest = tape.maximumRecord
        _ = try walk(file, longest: longest) { (_) throws(StorageFault) in }
        let buffer = Buffer(count: longest)
        try tape.locate(object: 0, partition: 0)
        let facts = try walk(file, longest: longest) { (record) throws(StorageFault) in
            guard let record else {
                _ = try tape.writeFilemarks(1, immediate: true)
                return
            }
            try file.readFully(into: buffer[0..<record.count], at: record.lowerBound)
            _ = try tape.write(UnsafeRawBufferPointer(buffer[0..<record.count]))
        }
        try tape.flush()
        return facts
    }

    /// Calls `body` with the place of each record in the file, nil for a filemark.
    private static func walk(
        _ file: any StoreFile, longest: Int, _ body: (Range<Int64>?) throws(StorageFault) -> Void
    ) throws(StorageFault) -> TapeFacts {
        var facts = TapeFacts()
        var offset: Int64 = 0
        let size = try file.size()
        while offset + 4 <= size {
            let word: UInt32 = try file.bytes(4, at: offset).little(at: 0)
            if word == endOfMedium { break }
            if word == eraseGap || word == 0 {
                if word == 0 {
                    facts.filemarks += 1
                    try body(nil)
                }
                offset += 4
                continue
            }
            guard word & ~lengthMask == 0 else {
                throw malformed(file, offset, "the record is marked as one that could not be read")
            }
            let length = Int64(word)
            guard length <= longest else {
                throw malformed(file, offset, "a record of \(length) bytes is longer than \(longest)")
            }
            let after = offset + 4 + length + length % 2
            guard after + 4 <= size else { throw malformed(file, offset, "the file ends within a record") }
            guard try file.bytes(4, at: after).little(UInt32.self, at: 0) == word else {
                throw malformed(file, offset, "the two lengths of a record differ")
            }
            try body(offset + 4..<offset + 4 + length)
            facts.records += 1
            facts.bytes += length
            offset = after + 4
        }
        guard facts.records + facts.filemarks > 0 else { throw malformed(file, offset, "there is no record in it") }
        return facts
    }

    private static func malformed(_ file: any StoreFile, _ offset: Int64, _ cause: String) -> StorageFault {
        StorageFault(
            .badInput, "TAPE-SIMH", "\(file.path), byte \(offset)", cause,
            action: "Check that it is a SIMH tape image (.tap) and that it is whole")
    }
}
