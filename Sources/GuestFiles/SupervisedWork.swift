public import Files
import Foundation
import Glibc

/// Work on bytes that nobody vouches for, done by a process of its own: it may hang, take all memory or crash, and this one goes on.
///
/// The other process is a copy of this one, or a program that begins with `Worker.own`. It tells over a pipe that it gets on; without such a sign it is ended.
public struct SupervisedWork: Sendable {
    public struct Limits: Hashable, Sendable {
        /// Of processor time without a sign of progress.
        public var cpuSeconds: Int
        /// Of real time without a sign of progress.
        public var silentSeconds: Int
        /// Of address space, bytes.
        public var memory: Int64

        public init(cpuSeconds: Int = 60, silentSeconds: Int = 120, memory: Int64 = 8 << 30) {
            (self.cpuSeconds, self.silentSeconds, self.memory) = (cpuSeconds, silentSeconds, memory)
        }
    }
    static let variable = "DPMSIM_SUPERVISED_WORK"
    static let pipe: Int32 = 3

    public var program: String
    public var arguments: [String]
    /// Set besides what this process has.
    public var environment: [String: String] = [:]
    public var limits: Limits
    /// What is read, for messages.
    public var object: String

    public init(program: String, arguments: [String], limits: Limits, object: String) {
        (self.program, self.arguments, self.limits, self.object) = (program, arguments, limits, object)
    }

    /// Runs the program to its end and returns its exit status. With `copied`, a copy of this process does that instead where it can be
    /// made, and ends with the status it returns. `progress` is told of what the program tells; false from it ends the
    /// program, also if it is silent but a signal came.
    ///
    /// Faults: `GUEST-LIMIT` if it did not get on, `GUEST-CRASH` if a signal ended it, `IMAGE-STOPPED`, those of the system. The
    /// process is gone when this returns or throws.
    public func run(
        copied: ((Worker) -> Int32)? = nil, progress: (_ done: Int64, _ total: Int64) -> Bool
    ) throws(StorageFault) -> Int32 {
        var ends: [Int32] = [0, 0]
        guard Glibc.pipe(&ends) == 0 else { throw .host("make a pipe to", program, errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        let process: pid_t
        do throws(StorageFault) {
            process =
                if let copied, ForkedProcess.isPossible {
                    try fork(copied, telling: ends[1], not: ends[0])
                } else {
                    try spawn(telling: ends[1])
                }
        } catch {
            close(ends[1])
            throw error
        }
        close(ends[1])
        var isEnded = false
        defer {
            if !isEnded {
                kill(process, SIGKILL)
                _ = wait(process, 0)
            }
        }
        try listen(ends[0], to: process, progress)
        // The pipe's other end is closed, mostly because the program is gone; it has this long to be.
        var status = wait(process, WNOHANG)
        for _ in 0..<limits.silentSeconds * 20 where status == nil {
            poll(nil, 0, 50)
            status = wait(process, WNOHANG)
        }
        guard let status else { throw silent }
        isEnded = true
        let signal = status & 0x7F
        if signal == 0 { return status >> 8 & 0xFF }
        if signal == SIGINT || signal == SIGTERM || signal == SIGHUP { throw stopped }
        if signal == SIGXCPU {
            throw limit("reading it took \(limits.cpuSeconds) s of processor time without getting on")
        }
        throw StorageFault(
            .damaged, "GUEST-CRASH", object,
            "reading its files ended the process that read them (signal \(signal)), so its structures are damaged or made to hurt",
            action: "Restore the whole disk instead, and look at it in a machine of its own")
    }

    private var stopped: StorageFault {
        StorageFault(.busy, "IMAGE-STOPPED", object, "it was stopped as asked", action: "Start it again")
    }
    private var silent: StorageFault { limit("reading it did not get on for \(limits.silentSeconds) s") }
    private func limit(_ cause: String) -> StorageFault {
        StorageFault(
            .damaged, "GUEST-LIMIT", object, cause + ", so it was ended",
            action:
                "Raise --time-limit if the storage is that slow; else restore the whole disk instead, its structures go in circles"
        )
    }

    /// Returns when the other end is closed, or the process is gone: what it began itself may still hold the pipe.
    private func listen(
        _ descriptor: Int32, to process: pid_t, _ progress: (Int64, Int64) -> Bool
    ) throws(StorageFault) {
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&entry, 1, Int32(clamping: limits.silentSeconds * 1000))
            if ready < 0 {
                guard errno == EINTR else { throw .host("listen to", program, errno) }
                guard progress(0, 0) else { throw stopped }
                continue
            }
            if ready == 0 { throw silent }
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return }
            var information = siginfo_t()
            let isGone =
                waitid(P_PID, id_t(process), &information, WEXITED | WNOHANG | WNOWAIT) == 0
                && information.si_signo == SIGCHLD
            for byte in buffer[..<count] where byte != 10 || !tell(&line, progress) {
                if byte == 10 { throw stopped }
                if line.count < 64 { line.append(byte) }
            }
            if isGone { return }
        }
    }

    /// Whether to go on after a whole line.
    private func tell(_ line: inout [UInt8], _ progress: (Int64, Int64) -> Bool) -> Bool {
        let numbers = String(decoding: line, as: UTF8.self).split(separator: " ").compactMap { Int64($0) }
        line.removeAll(keepingCapacity: true)
        return progress(numbers.first ?? 0, numbers.count > 1 ? numbers[1] : 0)
    }

    /// The copy has what `spawn` gives to a program: signals as they are at first, UTC, the pipe, limits.
    private func fork(
        _ body: (Worker) -> Int32, telling descriptor: Int32, not other: Int32
    ) throws(StorageFault) -> pid_t {
        let process = ForkedProcess.begin {
            for number: Int32 in 1...64 { signal(number, SIG_DFL) }
            var none = sigset_t()
            sigemptyset(&none)
            pthread_sigmask(SIG_SETMASK, &none, nil)
            setenv("TZ", "UTC", 1)
            tzset()
            close(other)
            if descriptor != Self.pipe { dup2(descriptor, Self.pipe) }
            return body(Worker(cpuSeconds: rlim_t(limits.cpuSeconds), memory: rlim_t(limits.memory)))
        }
        guard let process else { throw .host("make a copy of", program, errno) }
        return process
    }

    private func spawn(telling descriptor: Int32) throws(StorageFault) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, descriptor, Self.pipe)
        // Signals that this thread holds back, or this process ignores, must end the other one.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var (none, all) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var variables = ProcessInfo.processInfo.environment
        variables.merge(environment) { $1 }
        variables[Self.variable] = "\(limits.cpuSeconds) \(limits.memory)"
        // A crash is reported by us; FAT's times have no zone of their own.
        variables["SWIFT_BACKTRACE"] = "enable=no"
        variables["TZ"] = "UTC"
        let words = ([program] + arguments).map { strdup($0) }
        let settings = variables.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") }
        defer { (words + settings).forEach { free($0) } }
        var process = pid_t()
        let code = posix_spawn(&process, program, &actions, &attributes, words + [nil], settings + [nil])
        guard code == 0 else { throw .host("start", program, code) }
        return process
    }

    /// The status of a process that has ended; nil if it has not.
    private func wait(_ process: pid_t, _ options: Int32) -> Int32? {
        var status: Int32 = 0
        while true {
            let result = waitpid(process, &status, options)
            if result == process { return status }
            if result < 0, errno == EINTR { continue }
            return nil
        }
    }

    /// The other side: a process that does such work.
    public final class Worker: Sendable {
        private let cpuSeconds: rlim_t

        /// This process as a worker, with its limits in force; nil if nobody supervises it. To be asked for before any work is done.
        public static let own = Worker()

        private convenience init?() {
            guard let text = ProcessInfo.processInfo.environment[SupervisedWork.variable] else { return nil }
            let numbers = text.split(separator: " ").compactMap { UInt64($0) }
            guard numbers.count == 2, fcntl(SupervisedWork.pipe, F_GETFD) >= 0 else { return nil }
            self.init(cpuSeconds: rlim_t(numbers[0]), memory: rlim_t(numbers[1]))
        }

        fileprivate init(cpuSeconds: rlim_t, memory: rlim_t) {
            self.cpuSeconds = cpuSeconds
            limit(RLIMIT_AS, memory)
            limit(RLIMIT_CORE, 0)
            renew()
        }

        /// Tells that the work gets on, and how far it is, bytes. Ends this process if nobody listens any more.
        public func tell(done: Int64 = 0, total: Int64 = 0) {
            renew()
            let line = Array("\(done) \(total)\n".utf8)
            _ = line.withUnsafeBytes { write(SupervisedWork.pipe, $0.baseAddress, $0.count) }
        }

        private func renew() {
            var usage = rusage()
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
            limit(RLIMIT_CPU, rlim_t(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + 1) + cpuSeconds)
        }

        private func limit(_ resource: __rlimit_resource, _ value: rlim_t) {
            var now = rlimit()
            getrlimit(__rlimit_resource_t(resource.rawValue), &now)
            now.rlim_cur = min(value, now.rlim_max)
            setrlimit(__rlimit_resource_t(resource.rawValue), &now)
        }
    }
}
