import DiskImages
import Files
import Protection

/// The configuration of a machine as Hyper-V keeps it: `.vmcx` since Windows Server 2016, before that a tree of XML. What a scenario does
/// not say of a machine, memory and processors, is as Hyper-V gives it to a new one.
struct MachineConfiguration {
    let machine: Machine
    /// Of the machine as Hyper-V knows it.
    let id: GUID
    let host: WindowsVersion
    /// Where its disks are, in their order.
    let disks: [String]

    var suffix: String { host >= .ws2016 ? "vmcx" : "xml" }

    private var entries: [(path: String, value: VMCXFile.Value)] {
        var entries: [(path: String, value: VMCXFile.Value)] = [
            ("/configuration/properties/global_id", .string(id.description)),
            ("/configuration/properties/name", .string(machine.name)),
            // Generation 1, whose controllers take disks of both formats.
            ("/configuration/properties/subtype", .int(0)),
            ("/configuration/properties/type_id", .string("Virtual Machines")),
            ("/configuration/properties/version", .int(host >= .ws2019 ? 0x900 : host >= .ws2016 ? 0x800 : 0x500)),
            ("/configuration/settings/global/logical_id", .string(id.description)),
            ("/configuration/settings/processors/count", .int(1)),
            ("/configuration/settings/memory/bank/size", .int(1024)),
        ]
        for (index, path) in disks.enumerated() {
            // Two IDE controllers with two disks each, as every machine of generation 1 has; the others on a SCSI controller.
            let drive =
                index < 4
                ? "/configuration/_83f8638b-8dca-4152-9eda-2ca8b33039b4_/controller\(index / 2)/drive\(index % 2)"
                : "/configuration/_\(SequentialGUIDs(seed: 0x7363_7369).next())_/controller0/drive\(index - 4)"
            entries.append((drive + "/pathname", .string(path)))
            entries.append((drive + "/type", .string("VHD")))
        }
        return entries
    }

    /// Faults: `VMCX-ROOM` for a path that has no room in it.
    func encoded() throws(StorageFault) -> [UInt8] {
        suffix == "vmcx" ? try VMCX.make(entries, name: machine.name) : Array(xml.utf8)
    }

    private var xml: String {
        var lines = ["<?xml version=\"1.0\" encoding=\"UTF-8\"?>"]
        var open: [Substring] = []
        for (path, value) in entries.sorted(by: { $0.path < $1.path }) {
            let parts = path.split(separator: "/")
            let common = zip(open, parts.dropLast()).prefix { $0 == $1 }.count
            for name in open[common...].reversed() { lines.append("</\(name)>") }
            for name in parts[common..<parts.count - 1] { lines.append("<\(name)>") }
            open = Array(parts.dropLast())
            let (type, text) =
                if case .string(let text) = value { ("string", text) } else { ("integer", value.description) }
            let safe = text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            lines.append("<\(parts[parts.count - 1]) type=\"\(type)\">\(safe)</\(parts[parts.count - 1])>")
        }
        for name in open.reversed() { lines.append("</\(name)>") }
        return lines.joined(separator: "\n") + "\n"
    }
}
