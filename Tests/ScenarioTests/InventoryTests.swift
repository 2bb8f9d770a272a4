import Protection
import Scenario
import Testing
import Units

@Suite("Inventories")
struct InventoryTests {
    private func machines(_ csv: String, _ inventory: String) throws -> (machines: [Machine], problems: [String]) {
        let (setting, problems, _) = read(small + inventory, ["vms.csv": csv])
        return (setting?.world.machines ?? [], problems)
    }

    @Test("Export-Csv of Get-VM: a TYPE line, a byte order mark, quotes, full host names") func getVM() throws {
        let csv = """
            \u{FEFF}#TYPE Selected.Microsoft.HyperV.PowerShell.VirtualMachine
            "Name","ComputerName","State","SizeGB"
            "web-01","HV-1.corp.example","Running","100"
            "the ""old"" one","hv-2","Off","1,024.5"

            """
        let (machines, problems) = try machines(csv, "inventory: {file: vms.csv}\n")
        #expect(problems == [])
        #expect(machines.map(\.name) == ["web-01", "the \"old\" one"])
        #expect(machines.map(\.protectedSize) == [.gigabytes(100), Bytes(1_024_500_000_000)])
        #expect(machines.map(\.power) == [.running, .off])
    }

    @Test("RVTools vInfo: semicolons, MiB in the headings, systems in words") func vInfo() throws {
        let csv = """
            VM;Powerstate;Provisioned MiB;In Use MiB;Cluster;Host;OS according to the configuration file
            a;poweredOn;102,400;51,200;cl;node-01;Microsoft Windows Server 2012 (64-bit)
            b;poweredOff;2048;1024;cl;;Ubuntu Linux (64-bit)

            """
        let (machines, problems) = try machines(csv, "inventory: {file: vms.csv}\n")
        #expect(problems == [])
        #expect(machines.map(\.protectedSize) == [.gibibytes(100), .gibibytes(2)])
        #expect(machines.map(\.usedSize) == [.gibibytes(50), .gibibytes(1)])
        #expect(machines.map(\.guest) == [.windows2012R2, .linux])
        #expect(machines.map(\.power) == [.running, .off])
    }

    @Test("RVTools vDisk: rows of one name are disks of one machine") func vDisk() throws {
        let csv =
            "VM,Disk,Capacity MiB,Host\na,Hard disk 1,1024,hv-1\nb,Hard disk 1,1024,hv-1\na,Hard disk 2,2048,hv-1\n"
        let (machines, problems) = try machines(csv, "inventory: {file: vms.csv, rows: disks}\n")
        #expect(problems == [])
        #expect(machines.map(\.name) == ["a", "b"])
        #expect(machines.map { $0.disks.map(\.size) } == [[.gibibytes(1), .gibibytes(2)], [.gibibytes(1)]])
    }

    @Test("columns may be named, with the unit of their numbers, and line ends in quotes are kept") func mapping()
        throws
    {
        let csv = "id,note,bytes\r\nx,\"two\r\nlines, one field\",1000\r\ny,,2000\r\n"
        let inventory = """
            inventory:
              file: vms.csv
              columns: {name: ID, size: {column: bytes, unit: MB}}
              defaults: {host: hv-2, used: 50 %}
            """
        let (machines, problems) = try machines(csv, inventory)
        #expect(problems == [])
        #expect(machines.map(\.usedSize) == [.megabytes(500), .megabytes(1000)])
    }

    @Test("a bad cell is told by its row's line, after fields with line ends") func lines() throws {
        let csv = "Name,Note,SizeGB\na,\"1\n2\n3\",10\nb,,ten\n"
        let (_, problems) = try machines(csv, "inventory: {file: vms.csv, defaults: {host: hv-1}}\n")
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("vms.csv:5:3: b.size: expected a size with its unit") == true)
    }

    @Test("each value of a row is explained by its file and line, what rows share once") func explained() {
        let (_, _, explained) = read(
            small + "inventory: {file: vms.csv, defaults: {host: hv-1}}\n", ["vms.csv": "Name,SizeGB\na,1\nb,2\n"])
        let sizes = explained.filter { ["a.size", "b.size"].contains($0.path) }
        #expect(
            sizes.map(\.origin) == [
                .file(Spot(file: "vms.csv", line: 2, column: 2)), .file(Spot(file: "vms.csv", line: 3, column: 2)),
            ])
        #expect(explained.count { $0.path.hasSuffix(".churn") } == 1)
    }
}
