import Protection
import Testing
import Units

@Suite("GRP: protection groups")
struct GRPRules {
    @Test("GRP-1 obeyed: members, policy and schedule of a group")
    func grp1obeyed() {
        let found = findings()
        #expect(found == [])
    }

    @Test("GRP-1 broken: a name without a letter")
    func grp1broken() {
        let found = findings { $0.groups[.gold].name = "2026" }
        #expect(
            found == [
                "error 146 (GRP-1) protection group 2026: Its name must have 1 to 64 characters and at least one "
                    + "letter. Choose another name."
            ])
    }

    @Test("GRP-1 broken: two groups of one name")
    func grp1broken2() {
        let found = findings {
            $0.groups.append($0.groups[.gold])
            $0.groups[1].members = []
        }
        #expect(
            found == [
                "error 137 (GRP-1) protection group gold: Another group of DPM server dpm1 has this name. Choose "
                    + "another name.",
                "error (GRP-1) protection group gold: It has no members. Add a machine, or remove the group.",
            ])
    }

    @Test("GRP-1 broken: a machine in two groups")
    func grp1broken3() {
        let found = findings {
            $0.groups.append($0.groups[.gold])
            $0.groups[1].name = "silver"
            $0.groups[1].members = [.alpha]
        }
        #expect(
            found == [
                "error 157 (GRP-1) machine alpha: It is already a member of protection group gold and cannot "
                    + "join silver. Stop its protection in the one group, keeping its data, before adding it to the "
                    + "other."
            ])
    }

    @Test("GRP-1 broken: a machine named twice")
    func grp1broken4() {
        let found = findings { $0.groups[.gold].members.append(.alpha) }
        #expect(
            found == [
                "error 157 (GRP-1) protection group gold: It names machine alpha twice. Name it once."
            ])
    }

    @Test("GRP-1 broken: a name that spoils tape labels")
    func grp1broken5() {
        let found = findings {
            $0.groups[.gold].name = "gold.1"
            $0.addTape([TapeGoal(frequency: .weekly, retention: CalendarSpan(4, .weeks))])
        }
        #expect(
            found == [
                "error (GRP-1) protection group gold.1: Its name ends up on tape labels, and . in it makes tapes "
                    + "of library lib1 show as Unrecognized. Choose a name without | / \\ ( ) and dots."
            ])
    }

    @Test("GRP-1 broken: a throttle out of range")
    func grp1broken6() {
        let found = findings {
            $0.groups[.gold].throttle = Throttle(
                workRate: ByteRate(bytesPerSecond: 1_000), otherRate: .gigabitsPerSecond(1),
                workHours: DailyWindow(start: TimeOfDay(hour: 8), duration: .hours(10)), workDays: [.monday])
        }
        #expect(
            found == [
                "error 140 (GRP-1) protection group gold: Its throttle of 1 kB/s is outside 1 to 10 000 Mbit/s. "
                    + "Choose a rate in that range."
            ])
    }

    @Test("GRP-2 obeyed: colocation on legacy storage")
    func grp2obeyed() {
        let found = findings {
            $0.poolVolumes[0].kind = .legacy
            $0.groups[.gold].isColocated = true
        }
        #expect(found == [])
    }

    @Test("GRP-2 broken: colocation on Modern Backup Storage")
    func grp2broken() {
        let found = findings { $0.groups[.gold].isColocated = true }
        #expect(
            found == [
                "error 31252 (GRP-2) protection group gold: Colocation on disk is for legacy storage, and its "
                    + "volumes are of Modern Backup Storage. Turn colocation off; volumes of Modern Backup Storage are "
                    + "shared anyway."
            ])
    }

    @Test("GRP-3 broken: no method at all")
    func grp3broken() {
        let found = findings { $0.groups[.gold].disk = nil }
        #expect(
            found == [
                "error (GRP-3) protection group gold: It has no protection method. Protect to disk, to tape or "
                    + "online."
            ])
    }

    @Test("GRP-3 broken: disk without a pool")
    func grp3broken2() {
        let found = findings { $0.poolVolumes = [] }
        #expect(
            found == [
                "error 136 (GRP-3) protection group gold: DPM server dpm1 has no storage pool. Add a disk or "
                    + "volume to it."
            ])
    }

    @Test("GRP-3 broken: tape without a library")
    func grp3broken3() {
        let found = findings {
            $0.groups[.gold].longTermTape = [TapeGoal(frequency: .weekly, retention: CalendarSpan(4, .weeks))]
        }
        #expect(
            found == [
                "error 31002 (GRP-3) protection group gold: It is protected to tape, but no library or drive is "
                    + "chosen. Choose a tape library."
            ])
    }

    @Test("GRP-3 broken: a library without drives")
    func grp3broken4() {
        let found = findings {
            $0.drives = []
            $0.addTape([TapeGoal(frequency: .weekly, retention: CalendarSpan(4, .weeks))])
        }
        #expect(
            found == [
                "error 24052 (GRP-3) protection group gold: Library lib1 has no drive. Add a drive."
            ])
    }

    @Test("GRP-3 obeyed: online for 3360 days")
    func grp3obeyed() {
        let found = findings {
            $0.groups[.gold].online = OnlineGoal(vault: Ref(0), retention: CalendarSpan(3360, .days))
        }
        #expect(found == [])
    }

    @Test("GRP-3 broken: online for 3361 days")
    func grp3broken5() {
        let found = findings {
            $0.groups[.gold].online = OnlineGoal(vault: Ref(0), retention: CalendarSpan(3361, .days))
        }
        #expect(
            found == [
                "error 206 (GRP-3) protection group gold: Its online retention of 3361 days is more than 3360 "
                    + "days. Choose at most 3360 days."
            ])
    }

    @Test("GRP-3 broken: online for less than a week")
    func grp3broken6() {
        let found = findings {
            $0.groups[.gold].online = OnlineGoal(vault: Ref(0), retention: CalendarSpan(6, .days))
        }
        #expect(
            found == [
                "error 33468 (GRP-3) protection group gold: Its online retention of 6 days is too short for "
                    + "daily backups. Choose at least 7 days."
            ])
    }

    @Test("GRP-3 broken: online without disk")
    func grp3broken7() {
        let found = findings {
            $0.groups[.gold].disk = nil
            $0.groups[.gold].online = OnlineGoal(vault: Ref(0), retention: CalendarSpan(30, .days))
        }
        #expect(
            found == [
                "error 30224 (GRP-3) protection group gold: Online protection copies from disk, and it has no "
                    + "protection to disk. Protect it to disk too."
            ])
    }

    @Test("GRP-3 broken: online every quarter")
    func grp3broken8() {
        let found = findings {
            $0.groups[.gold].online = OnlineGoal(vault: Ref(0), retention: CalendarSpan(1, .years))
            $0.groups[.gold].online!.frequency = .quarterly
        }
        #expect(
            found == [
                "error 31018 (GRP-3) protection group gold: Online backups cannot be taken quarterly. Choose "
                    + "daily, weekly, monthly or yearly."
            ])
    }

    @Test("GRP-4 obeyed: 448 recovery points")
    func grp4obeyed() {
        let found = findings { $0.groups[.gold].disk!.retentionDays = 448 }
        #expect(found == [])
    }

    @Test("GRP-4 broken: more than 448 days")
    func grp4broken() {
        let found = findings { $0.groups[.gold].disk!.retentionDays = 449 }
        #expect(
            found == [
                "error 206 (GRP-4) protection group gold: Its retention range of 449 days is outside 1 to 448. "
                    + "Choose a range within these."
            ])
    }

    @Test("GRP-4 broken: more than 448 recovery points")
    func grp4broken2() {
        let found = findings {
            $0.groups[.gold].disk = DiskGoal(
                retentionDays: 225, schedule: WeeklySchedule(times: [TimeOfDay(hour: 8), TimeOfDay(hour: 20)]))
        }
        #expect(
            found == [
                "error 130 (GRP-4) protection group gold: 450 recovery points of each member would be kept, more "
                    + "than 448. Keep fewer days, or make fewer recovery points."
            ])
    }

    @Test("GRP-4 broken: synchronization of machines gives express fulls")
    func grp4broken3() {
        let found = findings { $0.groups[.gold].disk!.synchronization = .every(minutes: 15) }
        #expect(
            found == [
                "error 31016 (GRP-4) protection group gold: Machines have no incremental synchronization: "
                    + "instead of one every 15 min, an express full runs at each recovery point. Add times to the "
                    + "schedule if more recovery points are needed."
            ])
    }

    @Test("GRP-4 broken: a synchronization frequency that is not offered")
    func grp4broken4() {
        let found = findings { $0.groups[.gold].disk!.synchronization = .every(minutes: 7) }
        #expect(
            found == [
                "error 172 (GRP-4) protection group gold: It cannot synchronize every 7 minutes. Choose 15, 30, "
                    + "45, 60, 120, 240, 360, 720 or 1440 minutes.",
                "error 31016 (GRP-4) protection group gold: Machines have no incremental synchronization: "
                    + "instead of one every 7 min, an express full runs at each recovery point. Add times to the "
                    + "schedule if more recovery points are needed.",
            ])
    }

    @Test("GRP-4 broken: recovery points closer than the synchronization")
    func grp4broken5() {
        let found = findings {
            $0.groups[.gold].disk!.schedule = WeeklySchedule(times: [TimeOfDay(hour: 8), TimeOfDay(hour: 9)])
            $0.groups[.gold].disk!.synchronization = .every(minutes: 120)
        }
        #expect(
            found == [
                "error 133 (GRP-4) protection group gold: Two of its recovery points lie closer together than "
                    + "120 minutes. Move them apart, or synchronize more often.",
                "error 31016 (GRP-4) protection group gold: Machines have no incremental synchronization: "
                    + "instead of one every 120 min, an express full runs at each recovery point. Add times to the "
                    + "schedule if more recovery points are needed.",
            ])
    }

    @Test("GRP-5 obeyed: weekly for four weeks")
    func grp5obeyed() {
        let found = findings {
            $0.addTape([TapeGoal(frequency: .weekly, retention: CalendarSpan(4, .weeks))])
        }
        #expect(found == [])
    }

    @Test("GRP-5 broken: a range that is not offered")
    func grp5broken() {
        let found = findings {
            $0.addTape([TapeGoal(frequency: .weekly, retention: CalendarSpan(8, .weeks))])
        }
        #expect(
            found == [
                "error 31018 (GRP-5) protection group gold: Its long-term retention range of 8 weeks is not "
                    + "offered. Choose 1 to 4 weeks, 1 to 11 months or 1 to 99 years."
            ])
    }

    @Test("GRP-5 broken: more than 99 years")
    func grp5broken2() {
        let found = findings {
            $0.addTape([TapeGoal(frequency: .yearly, retention: CalendarSpan(100, .years))])
        }
        #expect(
            found == [
                "error 206 (GRP-5) protection group gold: Its long-term retention range of 100 years is not "
                    + "offered. Choose 1 to 4 weeks, 1 to 11 months or 1 to 99 years."
            ])
    }

    @Test("GRP-5 broken: a frequency that the range does not allow")
    func grp5broken3() {
        let found = findings {
            $0.addTape([TapeGoal(frequency: .quarterly, retention: CalendarSpan(6, .months))])
        }
        #expect(
            found == [
                "error 31018 (GRP-5) protection group gold: quarterly backups cannot be kept for 6 months on "
                    + "tape. Choose daily, weekly, bi-weekly, monthly."
            ])
    }

    @Test("GRP-5 broken: tape more often than disk")
    func grp5broken4() {
        let found = findings {
            $0.groups[.gold].disk!.schedule.weekdays = [.friday]
            $0.addTape([TapeGoal(frequency: .daily, retention: CalendarSpan(4, .weeks))])
        }
        #expect(
            found == [
                "error 144 (GRP-5) protection group gold: Its long-term backups (daily) are more frequent than "
                    + "its recovery points on disk. Add weekdays to the disk schedule, or make tape backups rarer."
            ])
    }

    @Test("GRP-5 broken: four goals")
    func grp5broken5() {
        let found = findings {
            $0.addTape(Array(repeating: TapeGoal(frequency: .monthly, retention: CalendarSpan(1, .years)), count: 4))
        }
        #expect(
            found == [
                "error 172 (GRP-5) protection group gold: It has 4 long-term goals; three are the most. Remove "
                    + "some."
            ])
    }

    @Test("GRP-5 obeyed: short-term tape for 12 weeks")
    func grp5obeyed2() {
        let found = findings {
            $0.addTape([])
            $0.groups[.gold].shortTermTape = TapeGoal(frequency: .weekly, retention: CalendarSpan(12, .weeks))
        }
        #expect(found == [])
    }

    @Test("GRP-5 broken: short-term tape for 13 weeks")
    func grp5broken6() {
        let found = findings {
            $0.addTape([])
            $0.groups[.gold].shortTermTape = TapeGoal(frequency: .weekly, retention: CalendarSpan(13, .weeks))
        }
        #expect(
            found == [
                "error 31018 (GRP-5) protection group gold: Its short-term retention range of 13 weeks on tape "
                    + "is not offered. Choose 1 to 12 weeks."
            ])
    }

    @Test("GRP-7 broken: more drives than the library has")
    func grp7broken() {
        let found = findings {
            $0.addTape([TapeGoal(frequency: .weekly, retention: CalendarSpan(4, .weeks))]) { $0.drives = 3 }
        }
        #expect(
            found == [
                "error 24055 (GRP-7) protection group gold: 3 drives are allocated, and library lib1 has 2. "
                    + "Allocate 1 to 2."
            ])
    }

    @Test("GRP-7 broken: encryption without a certificate")
    func grp7broken2() {
        let found = findings {
            $0.addTape([TapeGoal(frequency: .weekly, retention: CalendarSpan(4, .weeks))]) {
                $0.encoding = .encrypt
                $0.hasCertificate = false
            }
        }
        #expect(
            found == [
                "error 24073 (GRP-7) protection group gold: Its tapes are to be encrypted, and the backup store "
                    + "has no certificate. Put a certificate with its private key into DPMBackupStore."
            ])
    }

    @Test("GRP-7 broken: too many copies")
    func grp7broken3() {
        let found = findings {
            var goal = TapeGoal(frequency: .weekly, retention: CalendarSpan(4, .weeks))
            goal.copies = 8
            $0.addTape([goal])
        }
        #expect(
            found == [
                "error 172 (GRP-7) protection group gold: It makes 8 copies on tape. Choose 1 to 7 copies."
            ])
    }

    @Test("GRP-8 broken: a pool volume of another server")
    func grp8broken() {
        let found = findings {
            $0.addServer("dpm2", primary: nil, members: [.beta])
            $0.groups[.gold].members = [.alpha]
            $0.groups[.gold].volumes = [Ref(1)]
        }
        #expect(
            found == [
                "error 33510 (GRP-8) protection group gold: Pool volume p-dpm2 belongs to another DPM server. "
                    + "Choose a volume of DPM server dpm1."
            ])
    }

    @Test("GRP-9 obeyed: creation in half a year")
    func grp9obeyed() {
        let found = findings { $0.groups[.gold].replicaCreation = .at(.start + .days(180)) }
        #expect(found == [])
    }

    @Test("GRP-9 broken: creation after more than a year")
    func grp9broken() {
        let found = findings { $0.groups[.gold].replicaCreation = .at(.start + .days(400)) }
        #expect(
            found == [
                "error 31061 (GRP-9) protection group gold: Its replicas are to be created more than a year "
                    + "ahead. Choose a time within one year."
            ])
    }

    @Test("GRP-10 obeyed: a check window beside the backup window")
    func grp10obeyed() {
        let found = findings {
            $0.groups[.gold].backupWindow = DailyWindow(start: TimeOfDay(hour: 20), duration: .hours(10))
            $0.groups[.gold].scheduledCheck = DailyWindow(start: TimeOfDay(hour: 6), duration: .hours(4))
        }
        #expect(found == [])
    }

    @Test("GRP-10 broken: a check window inside the backup window")
    func grp10broken() {
        let found = findings {
            $0.groups[.gold].backupWindow = DailyWindow(start: TimeOfDay(hour: 20), duration: .hours(10))
            $0.groups[.gold].scheduledCheck = DailyWindow(start: TimeOfDay(hour: 5), duration: .hours(4))
        }
        #expect(
            found == [
                "error 33438 (GRP-10) protection group gold: Its backup window and its check window overlap. "
                    + "Move them apart."
            ])
    }

    @Test("GRP-10 broken: a window that never ends")
    func grp10broken2() {
        let found = findings {
            $0.groups[.gold].backupWindow = DailyWindow(start: TimeOfDay(hour: 20), duration: .hours(25))
        }
        #expect(
            found == [
                "error 33438 (GRP-10) protection group gold: Its backup window lasts 1 d 1 h. Choose more than "
                    + "nothing and at most 24 h."
            ])
    }

    @Test("GRP-10 broken: a window without disk")
    func grp10broken3() {
        let found = findings {
            $0.addTape([TapeGoal(frequency: .weekly, retention: CalendarSpan(4, .weeks))])
            $0.groups[.gold].disk = nil
            $0.groups[.gold].backupWindow = DailyWindow(start: TimeOfDay(hour: 20), duration: .hours(10))
        }
        #expect(
            found == [
                "error 33439 (GRP-10) protection group gold: It has a backup window, but no protection to disk. "
                    + "Remove the window, or protect to disk."
            ])
    }

    @Test("GRP-3 broken: a library whose tapes its drives cannot write")
    func grp3broken9() {
        let found = findings {
            $0.cartridges[0].generation = .lto5
            $0.addTape([TapeGoal(frequency: .weekly, retention: CalendarSpan(4, .weeks))])
        }
        #expect(
            found == [
                "error 198 (GRP-3) protection group gold: Library lib1 has no tape that its drives can write. "
                    + "Add tapes to the library."
            ])
    }

    @Test("GRP-7 obeyed: two drives, encryption with a certificate, seven copies")
    func grp7obeyed() {
        let found = findings {
            var goal = TapeGoal(frequency: .weekly, retention: CalendarSpan(4, .weeks))
            goal.copies = 7
            $0.addTape([goal]) { ($0.drives, $0.encoding) = (2, .encrypt) }
        }
        #expect(found == [])
    }

    @Test("GRP-8 obeyed: a pool volume of the same server")
    func grp8obeyed() {
        let found = findings { $0.groups[.gold].volumes = [Ref(0)] }
        #expect(found == [])
    }
}
