import Foundation
import Testing

/// A folder with files to write to tape.
private struct TapeFolder {
    let folder: PoolFolder
    let scratch: Scratch

    init() throws {
        folder = try PoolFolder()
        scratch = folder.scratch
        // Sparse, with some data; text; nothing.
        try folder.make("a.raw", format: "raw", write: "write -P 17 1M 2M")
        try Data((0..<200_000).map { "line \($0)\n" }.joined().utf8).write(to: url("b.txt"))
        try Data().write(to: url("empty"))
    }

    func url(_ name: String) -> URL { URL(fileURLWithPath: folder.path(name)) }

    func equal(_ one: String, _ other: String) throws -> Bool {
        try Data(contentsOf: url(one)) == Data(contentsOf: url(other))
    }

    func states() throws -> [String: [String: Any]] {
        let state = try folder.facts("tape library show L")
        let tapes = try #require(state["tapes"] as? [[String: Any]])
        return Dictionary(uniqueKeysWithValues: tapes.map { ($0["barcode"] as? String ?? "", $0) })
    }
}

@Suite("the commands of tapes, run as people run them") struct TapeCommandTests {
    @Test(
        "files are written as a set, listed, verified and read back",
        arguments: ["", " --compress", " --compression strong", " --encrypt", " --encrypt --compress"])
    func wholeLife(kind: String) throws {
        let tapes = try TapeFolder()
        let folder = tapes.folder
        try folder.run("tape library create L --slots 4 --drives 1 --generation LTO-7 --tapes 2")
        try folder.run("tape certificate create L dpm --key P-256")
        let written = try folder.facts("tape write L a.raw b.txt empty --set monday --group web --keep 30d\(kind)")
        #expect(written["tapes"] as? [String] == ["000001L7"])
        let sets = try #require(try folder.json("tape list L") as? [[String: Any]])
        #expect(sets.count == 1)
        #expect(sets.first?["name"] as? String == "monday")
        #expect(sets.first?["files"] as? [String] == ["a.raw", "b.txt", "empty"])
        #expect((sets.first?["thumbprints"] as? [String])?.count == (kind.contains("--encrypt") ? 1 : 0))
        try folder.run("tape verify L")
        try folder.run("tape read L monday --to out")
        for name in ["a.raw", "b.txt", "empty"] { #expect(try tapes.equal(name, "out/\(name)"), "\(name)") }
        #expect(try tapes.states()["000001L7"]?["owner"] as? String == "web")
        // What is in the way is not overwritten.
        #expect(try folder.run("tape read L monday --to out", status: 2).errors.contains("TAPE-TARGET"))
        try folder.run("tape read L monday --to some --file b.txt")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("some")) == ["b.txt"])
    }

    @Test("a library without its certificate reads nothing of an encrypted set, and everything with it")
    func certificates() throws {
        let tapes = try TapeFolder()
        let folder = tapes.folder
        try folder.run("tape library create L --slots 4 --drives 1 --tapes 2")
        #expect(try folder.run("tape write L b.txt --set s --encrypt", status: 2).errors.contains("TAPE-24073"))
        let made = try folder.facts("tape certificate create L first --key P-256")
        let thumbprint = try #require(made["thumbprint"] as? String)
        try folder.run("tape write L b.txt --set s --encrypt")
        try folder.run("tape certificate export L \(thumbprint) --to key.pem --with-key")
        let facts = try FileManager.default.attributesOfItem(atPath: folder.path("key.pem"))
        #expect((facts[.posixPermissions] as? NSNumber)?.intValue == 0o600)
        try folder.run("tape certificate rotate L second")
        try folder.run("tape read L s --to rotated")
        #expect(try tapes.equal("b.txt", "rotated/b.txt"))
        try folder.run("tape certificate remove L \(thumbprint) --store restore")
        let refused = try folder.run("tape read L s --to none", status: 2)
        #expect(refused.errors.contains("TAPE-24071"))
        #expect(refused.errors.contains(thumbprint))
        #expect(try folder.run("tape verify L", status: 1).output.contains("TAPE-24071"))
        try folder.run("tape certificate import L key.pem --store restore")
        try folder.run("tape read L s --to again")
        #expect(try tapes.equal("b.txt", "again/b.txt"))
    }

    @Test("a lost library is known again from its cartridges, and a moved one works on")
    func recatalog() throws {
        let tapes = try TapeFolder()
        let folder = tapes.folder
        try folder.run("tape library create L --slots 6 --drives 2 --tapes 3")
        try folder.run("tape write L a.raw --set one --compress")
        try folder.run("tape write L b.txt --set two")
        try FileManager.default.moveItem(at: tapes.url("L"), to: tapes.url("moved"))
        try folder.run("tape read moved one --to out")
        #expect(try tapes.equal("a.raw", "out/a.raw"))
        // Another library gets the cartridges, and nothing else.
        try folder.run("tape library create N --slots 6 --drives 2")
        for name in ["000001L8", "000002L8"] {
            try FileManager.default.copyItem(
                at: tapes.url("moved/cartridges/\(name).cart"), to: tapes.url("N/cartridges/\(name).cart"))
        }
        try folder.run("tape library import N")
        try folder.run("tape library inventory N --detailed")
        #expect(try folder.run("tape read N one --to lost", status: 2).errors.contains("TAPE-NO-SET"))
        try folder.run("tape recatalog N")
        try folder.run("tape read N two --to found")
        #expect(try tapes.equal("b.txt", "found/b.txt"))
        #expect(try folder.run("tape write N empty --set three", status: 2).errors.contains("TAPE-24050"))
    }

    @Test("damage is named, and what is left is read; another copy is whole")
    func damage() throws {
        let tapes = try TapeFolder()
        let folder = tapes.folder
        try folder.run("tape library create L --slots 6 --drives 2 --tapes 3")
        try folder.run("tape write L b.txt --set s --compress --record-size 64KiB")
        try folder.run("tape copy L 000001L8 000002L8")
        try folder.run("tape damage L/cartridges/000001L8.cart flip --object 6 --byte 900 --beneath-checksum")
        let verified = try folder.run("tape verify L s", status: 1)
        #expect(verified.output.contains("TAPE-RECORD-TAG") && verified.output.contains("record 6"))
        #expect(try folder.run("tape read L s --to out", status: 3).errors.contains("TAPE-RECORD-TAG"))
        #expect(!FileManager.default.fileExists(atPath: folder.path("out/b.txt")))
        let rest = try folder.facts("tape read L s --to rest --skip-damaged", status: 1)
        let lost = try #require((rest["files"] as? [[String: Any]])?.first?["lost"] as? [[String: Any]])
        #expect(lost.count == 1)
        let dump = try folder.run("tape dump L/cartridges/000001L8.cart --objects 0 --count 3")
        #expect(dump.output.contains("object 2"))
        try folder.run("tape damage L/cartridges/000001L8.cart flip --object 6 --byte 900")
        #expect(try folder.run("tape dump L/cartridges/000001L8.cart --records", status: 1).output.contains("problem"))
    }

    @Test("a tape goes to a file of other programs and comes back with all records")
    func exchange() throws {
        let tapes = try TapeFolder()
        let folder = tapes.folder
        try folder.run("tape library create L --slots 4 --drives 1 --tapes 2")
        try folder.run("tape write L a.raw b.txt --set s --record-size 64KiB")
        try folder.run("tape export L 000001L8 --to one.tap")
        try Tool.run("mtdump", folder.path("one.tap"))
        try folder.run("tape library create N --slots 4 --drives 1 --tapes 1")
        try folder.run("tape import N one.tap --to 000001L8")
        try folder.run("tape recatalog N")
        try folder.run("tape read N s --to out")
        #expect(try tapes.equal("a.raw", "out/a.raw"))
        try folder.run("tape export N 000001L8 --to two.tap")
        #expect(try tapes.equal("one.tap", "two.tap"))
    }

    @Test("robot, port and drives do what an operator asks")
    func moves() throws {
        let tapes = try TapeFolder()
        let folder = tapes.folder
        try folder.run("tape library create L --slots 4 --drives 2 --tapes 2 --ports 2")
        try folder.run("tape library add L CLN001L8")
        try folder.run("tape library load L 000001L8")
        #expect(try tapes.states()["000001L8"]?["place"] as? String == "drive-1")
        try folder.run("tape library unload L 1")
        try folder.run("tape library eject L 000002L8")
        try folder.run("tape library take-out L 000002L8")
        #expect(try tapes.states()["000002L8"]?["place"] == nil)
        #expect(try folder.run("tape library show L").output.contains("Beside the library: 000002L8"))
        try folder.run("tape library import L")
        #expect((try tapes.states()["000002L8"]?["place"] as? String)?.hasPrefix("slot-") == true)
        try folder.run("tape library clean L 2")
        try folder.run("tape library inventory L")
    }
}

/// A command that is refused, its status, and a part of what it says.
private struct RefusedTape: Sendable, CustomTestStringConvertible {
    var words: String
    var status: Int32
    var says: String
    init(_ words: String, _ status: Int32, _ says: String) {
        (self.words, self.status, self.says) = (words, status, says)
    }
    var testDescription: String { words }

    static let all = [
        RefusedTape("tape library create L", 2, "TAPE-LIBRARY-EXISTS"),
        RefusedTape("tape library create N --drives 0", 2, "TAPE-LIBRARY"),
        RefusedTape("tape library create N --generation LTO-3", 64, "LTO-10"),
        RefusedTape("tape library create N --slots 2 --tapes 3", 64, "--slots"),
        RefusedTape("tape library show none", 2, "TAPE-NO-LIBRARY"),
        RefusedTape("tape library add L 000001L8", 2, "TAPE-24039"),
        RefusedTape("tape library add L nonsense", 2, "TAPE-BARCODE"),
        RefusedTape("tape library load L 999999L8", 2, "TAPE-24050"),
        RefusedTape("tape library unload L 1", 2, "TAPE-SOURCE-EMPTY"),
        RefusedTape("tape write L missing --set s", 2, "TAPE-SOURCE"),
        RefusedTape("tape write L a.raw ./a.raw --set s", 2, "TAPE-NAME"),
        RefusedTape("tape write L a.raw --set s --compression much", 64, "strong"),
        RefusedTape("tape write L a.raw --set s --record-size 5000", 2, "TAPE-RECORD-LENGTH"),
        RefusedTape("tape write L a.raw --set s --keep never", 64, "--keep"),
        RefusedTape("tape write L a.raw --set s --write-period 7d", 64, "--colocation-set"),
        RefusedTape("tape read L none --to out", 2, "TAPE-NO-SET"),
        RefusedTape("tape read L s --to out --file none", 2, "TAPE-NO-FILE"),
        RefusedTape("tape list L 999999L8", 2, "TAPE-24050"),
        RefusedTape("tape erase L 000001L8", 2, "TAPE-31120"),
        RefusedTape("tape free L 000001L8", 2, "TAPE-31116"),
        RefusedTape("tape copy L 000001L8 000001L8", 2, "TAPE-"),
        RefusedTape("tape export L 000001L8 --to a.raw", 2, "FILE-EXISTS"),
        RefusedTape("tape import L a.raw --to 000002L8", 2, "TAPE-SIMH"),
        RefusedTape("tape dump a.raw", 1, "problem"),
        RefusedTape("tape dump missing", 2, "FILE-"),
        RefusedTape("tape damage L/cartridges/000001L8.cart flip --object 99999", 2, "TAPE-DAMAGE"),
        RefusedTape("tape damage L/cartridges/000001L8.cart swap --object 1", 64, "--other"),
        RefusedTape("tape certificate import L a.raw", 2, "TAPE-CERTIFICATE"),
        RefusedTape("tape certificate remove L 00 --store backup", 64, "40"),
        RefusedTape(
            "tape certificate export L 0000000000000000000000000000000000000000 --to x", 2, "TAPE-NO-CERTIFICATE"),
    ]
}

@Suite("what cannot be done with tapes is told, and changes nothing") struct TapeRefusalTests {
    @Test("a refused command says why, with its status")
    func refusals() throws {
        let tapes = try TapeFolder()
        let folder = tapes.folder
        try folder.run("tape library create L --slots 4 --drives 1 --tapes 2")
        try folder.run("tape write L b.txt --set s --compress")
        let before = try Data(contentsOf: tapes.url("L/library.json"))
        for refused in RefusedTape.all {
            let result = try folder.run(refused.words, status: refused.status)
            #expect((result.errors + result.output).contains(refused.says), "\(refused.words): \(result.errors)")
        }
        let after = try folder.facts("tape library show L")
        let old = try #require(try JSONSerialization.jsonObject(with: before) as? [String: Any])
        #expect((after["tapes"] as? [[String: Any]])?.count == (old["tapes"] as? [[String: Any]])?.count)
        try folder.run("tape verify L")
        try folder.run("tape read L s --to out")
        #expect(try tapes.equal("b.txt", "out/b.txt"))
    }
}
