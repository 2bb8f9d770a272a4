import Protection
import Testing
import Units

@Suite("LIV: live migration")
struct LIVRules {
    @Test("LIV-2 broken: two DPM servers for one machine")
    func liv2broken() {
        let found = findings { $0.addServer("dpm2", primary: nil, members: [.alpha]) }
        #expect(
            found == [
                "error 3184 (LIV-2) machine alpha: DPM server dpm1 protects it, so dpm2 cannot. Leave it with "
                    + "dpm1, or stop its protection there first."
            ])
    }

    @Test("LIV-5 obeyed: disk for machines whose migrations are followed")
    func liv5obeyed() {
        let found = findings { $0.connectVMM() }
        #expect(found == [])
    }

    @Test("LIV-5 broken: tape for machines whose migrations are followed")
    func liv5broken() {
        let found = findings {
            $0.connectVMM()
            $0.vmmServers[0].hosts = [.h1, .h2]
            $0.addTape([TapeGoal(frequency: .weekly, retention: CalendarSpan(4, .weeks))])
        }
        #expect(
            found == [
                "error (LIV-5) machine alpha: Protection follows its migrations between hosts through VMM, and "
                    + "such machines are not backed up to tape. Take its host out of the VMM cloud, or do without tape "
                    + "for it.",
                "error (LIV-5) machine gamma: Protection follows its migrations between hosts through VMM, and "
                    + "such machines are not backed up to tape. Take its host out of the VMM cloud, or do without tape "
                    + "for it.",
            ])
    }

    @Test("LIV-10 broken: no automatic checks for machines whose migrations are followed")
    func liv10broken() {
        let found = findings {
            $0.connectVMM()
            $0.groups[.gold].automaticChecks = false
        }
        #expect(
            found == [
                "error (LIV-10) protection group gold: It has machines that may migrate between hosts, and "
                    + "automatic consistency checks are off. Turn automatic consistency checks on."
            ])
    }

    @Test("LIV-10 obeyed: no automatic checks where nothing migrates between hosts")
    func liv10obeyed() {
        let found = findings { $0.groups[.gold].automaticChecks = false }
        #expect(found == [])
    }
}
