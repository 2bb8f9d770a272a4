/// Builds HTML and SVG; whatever text goes in comes out escaped.
struct Markup {
    private(set) var bytes: [UInt8] = []
    var text: String { String(decoding: bytes, as: UTF8.self) }
    init() {}

    /// An element with content. Attributes keep their order.
    mutating func element(
        _ name: String, _ attributes: KeyValuePairs<String, String> = [:], _ content: (inout Markup) -> Void
    ) {
        open(name, attributes)
        content(&self)
        bytes += "</\(name)>".utf8
    }
    /// An element with text.
    mutating func element(_ name: String, _ attributes: KeyValuePairs<String, String> = [:], text: String) {
        element(name, attributes) { $0.add(text) }
    }
    /// An element without content: of HTML, or closed in itself in SVG.
    mutating func empty(_ name: String, _ attributes: KeyValuePairs<String, String> = [:], svg: Bool = false) {
        open(name, attributes)
        if svg {
            bytes.removeLast()
            bytes += "/>".utf8
        }
    }
    /// Plain text.
    mutating func add(_ text: String) { Markup.escape(text, to: &bytes) }
    /// Another piece as it is.
    mutating func add(_ other: Markup) { bytes += other.bytes }
    /// Text of our own that must not be escaped: style sheets and the document's type.
    mutating func add(raw: StaticString) { bytes += raw.description.utf8 }

    private mutating func open(_ name: String, _ attributes: KeyValuePairs<String, String>) {
        bytes.append(UInt8(ascii: "<"))
        bytes += name.utf8
        for (key, value) in attributes {
            bytes.append(UInt8(ascii: " "))
            bytes += key.utf8
            bytes += "=\"".utf8
            Markup.escape(value, to: &bytes)
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(UInt8(ascii: ">"))
    }

    private static func escape(_ text: String, to bytes: inout [UInt8]) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "&"): bytes += "&amp;".utf8
            case UInt8(ascii: "<"): bytes += "&lt;".utf8
            case UInt8(ascii: ">"): bytes += "&gt;".utf8
            case UInt8(ascii: "\""): bytes += "&quot;".utf8
            case UInt8(ascii: "'"): bytes += "&#39;".utf8
            // Characters that HTML forbids, as U+FFFD in UTF-8.
            case 0..<9, 11, 12, 14..<32, 127: bytes += [0xEF, 0xBF, 0xBD]
            default: bytes.append(byte)
            }
        }
    }
}
