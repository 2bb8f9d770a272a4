import Foundation
import Kernel

/// A file of known results: fluid transfers (`resources`, `activities`) or queueing models (`oracles`).
enum OracleFile {
    case fluid(FluidCase)
    case queues([QueueCase])

    /// Why a file cannot be used, and what to do about it.
    struct Refusal: Error, CustomStringConvertible {
        let description: String
        init(_ cause: String, action: String) { description = "\(cause); \(action)" }
        init(_ file: String, _ cause: String) {
            self.init("\(file): \(cause)", action: "correct the file, or leave it out")
        }
    }

    /// The file itself, or all .json files below a folder, sorted by path.
    static func list(_ path: String) throws -> [String] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw Refusal("\(path): there is no such file or folder", action: "check the path")
        }
        guard isFolder.boolValue else { return [path] }
        guard let below = try? FileManager.default.subpathsOfDirectory(atPath: path) else {
            throw Refusal("\(path): the folder cannot be listed", action: "check its permissions")
        }
        let files = below.filter { $0.hasSuffix(".json") }.sorted()
        guard !files.isEmpty else {
            throw Refusal("\(path): no .json file in this folder", action: "name another folder")
        }
        return files.map { path.hasSuffix("/") ? path + $0 : path + "/" + $0 }
    }

    /// Decodes and checks; afterwards every case can be run.
    static func read(_ path: String) throws -> OracleFile {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw Refusal("\(path): the file cannot be read", action: "check that it is a file, and its permissions")
        }
        do {
            let decoder = JSONDecoder()
            let kind = try decoder.decode(Kind.self, from: data)
            if kind.oracles == nil && kind.activities == nil {
                throw Refusal(path, "neither \"activities\" nor \"oracles\" in it")
            }
            if kind.oracles != nil {
                let queues = try decoder.decode(Queues.self, from: data).oracles
                if queues.isEmpty { throw Refusal(path, "\"oracles\" is empty") }
                return .queues(
                    queues.map { QueueCase(name: $0.name, model: $0.model, params: $0.params, exact: $0.exact) })
            }
            return .fluid(try decoder.decode(Fluid.self, from: data).folded(path))
        } catch let error as DecodingError {
            throw Refusal(path, cause(error))
        }
    }

    static func quoted(_ text: String) throws -> String {
        String(decoding: try JSONEncoder().encode(text), as: UTF8.self)
    }

    private static func cause(_ error: DecodingError) -> String {
        func place(_ context: DecodingError.Context, _ last: String = "") -> String {
            var text = ""
            for key in context.codingPath {
                text += key.intValue.map { "[\($0)]" } ?? (text.isEmpty ? "" : ".") + key.stringValue
            }
            if !last.isEmpty { text += (text.isEmpty ? "" : ".") + last }
            return text.isEmpty ? "the file" : text
        }
        switch error {
        case .keyNotFound(let key, let context): return "\(place(context, key.stringValue)) is missing"
        case .typeMismatch(let type, let context): return "\(place(context)) is not a \(name(type))"
        case .valueNotFound(let type, let context): return "\(place(context)) is null instead of a \(name(type))"
        case .dataCorrupted(let context):
            return "\(place(context)) is not JSON that can be used: \(context.debugDescription)"
        @unknown default: return "\(error)"
        }
    }

    private static func name(_ type: Any.Type) -> String {
        type == Double.self
            ? "number" : type == String.self ? "text" : "\(type)".hasPrefix("Array") ? "list" : "mapping"
    }

    // The files as they are written.

    private struct Present: Decodable { init(from decoder: any Decoder) {} }
    private struct Kind: Decodable {
        let activities: Present?
        let oracles: Present?
    }
    private struct Queues: Decodable { let oracles: [Queue] }
    private struct Queue: Decodable {
        let name: String
        let model: String
        let params: [String: Double]
        let exact: [String: Double]
    }
    private struct Resource: Decodable {
        let id: String
        let capacity: Double
        let sharing: String?
        let capacity_steps: [[Double]]?
    }
    private struct Activity: Decodable {
        let id: String
        let activation: Double
        let size: Double
        let weight: Double?
        let cap: Double?
        let route: [String]
        let finish_exact: Double
    }
    private struct Fluid: Decodable {
        let name: String?
        let resources: [Resource]
        let activities: [Activity]

        func folded(_ path: String) throws -> FluidCase {
            var places: [String: Int] = [:]
            var shared: [String: Int] = [:]
            var list: [FluidCase.Resource] = []
            for (place, resource) in resources.enumerated() {
                if places.updateValue(place, forKey: resource.id) != nil {
                    throw Refusal(path, "the resource \"\(resource.id)\" occurs twice")
                }
                guard ["shared", "per-flow"].contains(resource.sharing ?? "shared") else {
                    throw Refusal(
                        path,
                        "resource \"\(resource.id)\": sharing is \"shared\" or \"per-flow\", not \"\(resource.sharing!)\""
                    )
                }
                let steps = try (resource.capacity_steps ?? []).map { step in
                    guard step.count == 2 else {
                        throw Refusal(
                            path, "resource \"\(resource.id)\": a capacity step is [time, capacity], not \(step)")
                    }
                    return (time: step[0], capacity: step[1])
                }
                // A limit on each flow is in the caps already, and nothing is shared.
                if resource.sharing == "per-flow" { continue }
                shared[resource.id] = list.count
                list.append(.init(id: resource.id, capacity: resource.capacity, steps: steps))
            }
            var ids: Set<String> = []
            let transfers = try activities.map { activity in
                guard ids.insert(activity.id).inserted else {
                    throw Refusal(path, "the activity \"\(activity.id)\" occurs twice")
                }
                let route = try activity.route.compactMap { id -> Int? in
                    guard places[id] != nil else {
                        throw Refusal(
                            path, "activity \"\(activity.id)\" uses the resource \"\(id)\", which is not listed")
                    }
                    return shared[id]
                }
                return FluidCase.Activity(
                    id: activity.id, activation: activity.activation, size: activity.size, route: route,
                    cap: activity.cap ?? .infinity, weight: activity.weight ?? 1, finish: activity.finish_exact)
            }
            let file = path.split(separator: "/").last.map(String.init) ?? path
            let fluid = FluidCase(name: name ?? file, resources: list, activities: transfers)
            if let fault = fluid.fault { throw Refusal(path, fault) }
            return fluid
        }
    }
}
