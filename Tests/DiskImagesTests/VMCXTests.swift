import DiskImages
import Files
import Foundation
import Testing

private func read(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: Probe.fixture(name))))
}

private func parse(_ bytes: [UInt8]) throws -> VMCXFile { try VMCXFile(bytes: bytes, name: "test") }

private let disk = "/configuration/_83f8638b-8dca-4152-9eda-2ca8b33039b4_/controller0/drive0/pathname"
private let machineName = "/configuration/properties/name"
private let notes = "/configuration/properties/notes"

@Suite("Hyper-V's configuration files") struct VMCXTests {
    @Test("every checksum of the real files is right", arguments: [("test.vmcx", 409), ("test.VMRS", 113)])
    func checksums(name: String, entries: Int) throws {
        let bytes = try read(name)
        #expect(try parse(bytes).checkedEntries == entries)
        #expect(VMCX.dump(bytes, name: name).flatMap(\.problems) == [])
    }

    @Test("what a machine is can be read from its configuration")
    func values() throws {
        let file = try parse(read("test.vmcx"))
        #expect(file.version == 0x0400)
        #expect(file.name == "Other Location")
        #expect(file.id == GUID("282874FC-59D6-4F30-BC04-5FDD909C82E0"))
        #expect(file.typeID == "Virtual Machines")
        #expect(file.configurationVersion == "9.0")
        #expect(file.generation == 1)
        #expect(file.processors == 1)
        #expect(file.memory == 1024)
        #expect(file.disks.count == 1)
        #expect(
            file.disks.first?.path == "C:\\Users\\Public\\Documents\\Hyper-V\\Virtual Hard Disks\\Other Location.vhdx")
        #expect(file.disks.first.map { "\($0.controller)/drive\($0.location)/pathname" } == disk)
        let paths = file.entries.map(\.path)
        #expect(paths == paths.sorted())
        #expect(file.value("/configuration/nothing") == nil)
    }

    @Test(
        "texts that fit and texts that do not are set, and nothing else changes",
        arguments: [
            [machineName: "Web"], [machineName: String(repeating: "Ärger ", count: 60)],
            [disk: "D:\\Recovered\\web.vhdx"],
            [disk: "D:\\" + String(repeating: "long folder\\", count: 20) + "w.vhdx"],
            [notes: String(repeating: "n", count: 1023)],
            [
                machineName: String(repeating: "a", count: 900), disk: String(repeating: "b", count: 1000), notes: "",
                "/configuration/properties/global_id": "00000000-0000-4000-8000-000000000001",
                "/configuration/settings/global/logical_id": "00000000-0000-4000-8000-000000000001",
            ],
        ])
    func edits(setting: [String: String]) throws {
        let bytes = try read("test.vmcx")
        let edited = try parse(VMCX.edit(bytes, name: "test", setting: setting))
        let before = try parse(bytes)
        var expected = before.entries.map { ($0.path, $0.value) }
        for index in expected.indices {
            if let text = setting[expected[index].0] { expected[index].1 = .string(text) }
        }
        #expect(edited.entries.map(\.path) == expected.map(\.0))
        #expect(edited.entries.map(\.value) == expected.map(\.1))
        #expect(edited.checkedEntries == before.checkedEntries)
    }

    @Test("a text can be made longer again and again, in new tables when the old ones are full")
    func many() throws {
        let original = try read("test.vmcx")
        var bytes = original
        var numbers = Probe.Numbers(seed: 4)
        let keys = try parse(bytes).entries.compactMap { entry in
            if case .string = entry.value { entry.path } else { nil }
        }
        var expected: [String: String] = [:]
        for _ in 0..<40 {
            let key = keys[numbers.below(keys.count)]
            let text = String(repeating: "x", count: 400 + numbers.below(624))
            expected[key] = text
            bytes = try VMCX.edit(bytes, name: "test", setting: [key: text])
        }
        let file = try parse(bytes)
        for (key, text) in expected { #expect(file.string(key) == text) }
        #expect(bytes.count > original.count)
        #expect(file.entries.count == (try parse(original).entries.count))
        for entry in try parse(original).entries where expected[entry.path] == nil {
            #expect(file.value(entry.path) == entry.value)
        }
    }

    @Test(
        "what cannot be set is refused",
        arguments: [
            ("/configuration/nothing", "x", "VMCX-KEY"), ("/configuration/properties/version", "x", "VMCX-KEY"),
            (notes, String(repeating: "n", count: 1024), "VMCX-ROOM"),
        ])
    func refused(key: String, text: String, id: String) throws {
        let bytes = try read("test.vmcx")
        let fault = #expect(throws: StorageFault.self) { try VMCX.edit(bytes, name: "test", setting: [key: text]) }
        #expect(fault?.id == id)
    }

    @Test(
        "a wrong byte in a structure in use is found",
        arguments: [0x2009, 0x3002, 0x3020, 0x3030, 0x9000, 0x13010, 0xA009])
    func damage(at: Int) throws {
        var bytes = try read("test.vmcx")
        bytes[at] ^= 0x40
        #expect(throws: StorageFault.self) { try parse(bytes) }
        #expect(!VMCX.dump(bytes, name: "test").flatMap(\.problems).isEmpty)
    }

    @Test("one bad header is made good by the other; two are refused")
    func headers() throws {
        var bytes = try read("test.vmcx")
        bytes[9] ^= 1
        #expect(try parse(bytes).name == "Other Location")
        bytes[0x1009] ^= 1
        let fault = #expect(throws: StorageFault.self) { try parse(bytes) }
        #expect(fault?.id == "VMCX-CHECKSUM")
    }

    @Test("a new file has what was put into it, every checksum right, and takes other texts like one of Hyper-V")
    func makes() throws {
        let entries: [(path: String, value: VMCXFile.Value)] = [
            (machineName, .string("Größe")), (disk, .string("D:\\vm.vhdx")),
            (disk.replacing("pathname", with: "type"), .string("VHD")),
            ("/configuration/properties/version", .int(0x900)),
            ("/a/b/c/uint", .uint(.max)), ("/a/b/double", .double(1.5)), ("/a/bool", .bool(true)),
            ("/a/bytes", .bytes([1, 2, 3])), (notes, .string("")),
        ]
        let bytes = try VMCX.make(entries, name: "new")
        let file = try parse(bytes)
        #expect(VMCX.dump(bytes, name: "new").flatMap(\.problems) == [])
        #expect(file.name == "Größe")
        #expect(file.configurationVersion == "9.0")
        #expect(file.disks.map(\.path) == ["D:\\vm.vhdx"])
        #expect(file.entries.map(\.path) == entries.map(\.path).sorted())
        for entry in entries { #expect(file.value(entry.path) == entry.value) }
        let path = "E:\\" + String(repeating: "folder\\", count: 80) + "vm.vhdx"
        let edited = try parse(VMCX.edit(bytes, name: "new", setting: [disk: path, machineName: "x"]))
        #expect(edited.disks.map(\.path) == [path])
        #expect(edited.entries.count == entries.count)
        for long in [(notes, String(repeating: "n", count: 1024)), ("/" + String(repeating: "k", count: 300), "v")] {
            let fault = #expect(throws: StorageFault.self) {
                try VMCX.make([(long.0, .string(long.1))], name: "new")
            }
            #expect(fault?.id == "VMCX-ROOM")
        }
    }

    @Test("no damaged file makes the reader or the dump end otherwise than well", arguments: [1, 2, 3] as [UInt64])
    func hostile(seed: UInt64) throws {
        var numbers = Probe.Numbers(seed: seed)
        for name in ["test.vmcx", "test.VMRS"] {
            let original = try read(name)
            for round in 0..<8 {
                var bytes = original
                if numbers.below(3) == 0 { bytes.removeLast(numbers.below(bytes.count)) }
                for _ in 0..<1 + numbers.below(8) where !bytes.isEmpty {
                    let at =
                        numbers.below(2) == 0 ? numbers.below(bytes.count) : numbers.below(min(bytes.count, 0x4000))
                    bytes[at] = [0, 0xFF, 0x7F, UInt8(truncatingIfNeeded: numbers.next())][numbers.below(4)]
                }
                if round % 2 == 0 { mend(&bytes) }
                _ = VMCX.dump(bytes, name: name)
                do { _ = try parse(bytes) } catch let fault as StorageFault { #expect(fault.id.hasPrefix("VMCX-")) }
            }
        }
    }

    /// Makes the checksums of the fixed structures right again, so that what lies behind them is looked at.
    private func mend(_ bytes: inout [UInt8]) {
        func seal(_ range: Range<Int>, _ field: Int) {
            guard range.upperBound <= bytes.count else { return }
            bytes.putLittle(UInt32(0), at: field)
            bytes.putLittle(CRC32.of(bytes[range]), at: field)
        }
        for header in [0, 0x1000] { seal(header..<header + 46, header + 4) }
        for object in 0..<16 { seal(0x2008 + 18 * object..<0x2008 + 18 * object + 18, 0x2009 + 18 * object) }
        for table in stride(from: 0x3000, to: 0xA000, by: 0x1000) {
            seal(table..<table + 10, table + 6)
            guard table + 4096 <= bytes.count else { continue }
            var at = table + 10
            while at + 21 < table + 4096 {
                let size = Int(bytes.little(UInt32.self, at: at + 2))
                guard size >= 21, at + size <= table + 4096 else { break }
                let key = Int(bytes[at + 20])
                let value = at + 21 + key
                if [6, 7].contains(bytes[at]), value + 4 <= at + size {
                    let length = Int(bytes.little(UInt32.self, at: value))
                    if value + 4 + length <= at + size { seal(at..<value + 4 + length, at + 12) }
                } else if bytes[at] == 9, value + 12 <= at + size {
                    seal(at..<value + 12, at + 12)
                }
                at += size
            }
        }
    }
}
