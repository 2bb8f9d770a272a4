import Files
import Foundation
import Tape
import Testing

@Suite("the page on the cartridge's format") struct CartridgeFormatTests {
    @Test("shows what is written, byte by byte")
    func example() throws {
        let (disk, tape) = try CartridgeLab.made()
        _ = try tape.write([0x61, 0x62, 0x63])
        _ = try tape.write([UInt8](repeating: 0, count: 4096))
        _ = try tape.writeFilemarks(1, immediate: false)
        try tape.unload()
        let bytes = try #require(disk.contents(CartridgeLab.path))
        let page = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Sources/Tape/FORMAT-CARTRIDGE.md")
        let text = try String(contentsOf: page, encoding: .utf8)
        var shown = 0
        // Lines such as `0000: 44 50 4d 43  what it is`.
        for line in text.split(separator: "\n") {
            guard let match = line.firstMatch(of: /^([0-9a-f]{6}): ((?:[0-9a-f]{2} )+)/) else { continue }
            let place = try #require(Int(match.1, radix: 16))
            let expected = match.2.split(separator: " ").compactMap { UInt8($0, radix: 16) }
            #expect(Array(bytes[place..<place + expected.count]) == expected, "\(line)")
            shown += expected.count
        }
        #expect(shown > 200)
    }
}
