import Files

/// A layer whose disk can be made larger or smaller.
protocol ResizableLayer: ImageLayer {
    func resize(to size: Int64) throws(StorageFault)
}
extension RawLayer: ResizableLayer {}
extension VHDLayer: ResizableLayer {}
extension VHDXLayer: ResizableLayer {}

/// A layer that can be told of another parent.
protocol AdoptableLayer: ImageLayer {
    func setParent(_ parent: ParentReference) throws(StorageFault)
}
extension VHDLayer: AdoptableLayer {}
extension VHDXLayer: AdoptableLayer {}

/// A layer whose blocks lie in its file as they are, so that holes of the file are zeros of the disk. Reading such holes would cost
/// as much as reading data: of a block of 32 MiB often the most is one.
protocol SparseLayer: ImageLayer {
    /// nil while something else than the file's content counts.
    var sparseFile: (any StoreFile)? { get }
}
extension VHDXLayer: SparseLayer {
    // What a dirty log holds may lie over a hole.
    var sparseFile: (any StoreFile)? { source.overlay == nil ? file : nil }
}
extension VHDLayer: SparseLayer {
    var sparseFile: (any StoreFile)? { file }
}

extension StoreFile {
    /// Appends the parts of a piece that are data in this file, outwards to multiples of `grain`. O(holes in it).
    func appendData(
        of piece: DiskImage.Piece, grain: Int64, to pieces: inout [DiskImage.Piece]
    ) throws(StorageFault) {
        let shift = piece.range.lowerBound - piece.place
        var rest = piece.range
        while !rest.isEmpty, let data = try dataRange(from: rest.lowerBound - shift),
            data.lowerBound + shift < rest.upperBound
        {
            let start = (data.lowerBound + shift) / grain * grain
            let part = (start..<(data.upperBound + shift).roundedUp(to: grain).value).clamped(to: rest)
            // A file that changes meanwhile must not make this go on for ever.
            guard !part.isEmpty else { break }
            pieces.append(DiskImage.Piece(range: part, layer: piece.layer, place: part.lowerBound - shift))
            rest = part.upperBound..<rest.upperBound
        }
    }
}

extension ImageLayer {
    /// How a child in `folder` names this layer as its parent.
    func reference(from folder: String) throws(StorageFault) -> ParentReference {
        guard let linkage, linkage != .zero else {
            throw StorageFault(
                .badInput, "IMAGE-PARENT-FORMAT", path, "a \(format) file has nothing a child could prove itself by",
                action: "Convert it to VHDX first")
        }
        var paths: [String: String] = ["name": FilePath.name(path)]
        if let relative = FilePath.relative(path, from: folder) {
            let text = (relative.hasPrefix("..") ? "" : ".\\") + FilePath.toWindows(relative)
            (paths["relative_path"], paths["W2ru"]) = (text, text)
        }
        if path.hasPrefix("/") {
            let text = FilePath.toWindows(FilePath.normal(path))
            (paths["absolute_win32_path"], paths["W2ku"]) = (text, text)
        }
        return ParentReference(linkage: [linkage], paths: paths.filter { Self.keys(format).contains($0.key) })
    }

    private static func keys(_ format: ImageFormat) -> Set<String> {
        format == .vhd ? ["W2ru", "W2ku", "name"] : ["relative_path", "absolute_win32_path"]
    }
}

extension ImageAccess {
    /// Image files in `folders` that say `parent` is theirs, by its identifier, sorted. Files that are no images are passed over.
    func children(of parent: any ImageLayer, in folders: [String]) throws(StorageFault) -> [String] {
        guard let linkage = parent.linkage else { return [] }
        var found: [String] = []
        for folder in Set(folders.map(FilePath.normal)).sorted() {
            for name in try files.list(folder) {
                let path = FilePath.normal(FilePath.join(folder, name))
                let suffix = FilePath.stemAndExtension(name).suffix
                guard ["vhdx", "avhdx", "vhd", "avhd"].contains(suffix), path != FilePath.normal(parent.path),
                    try files.kind(of: path) == .file
                else { continue }
                if try parentNamed(in: path)?.linkage.contains(linkage) == true { found.append(path) }
            }
        }
        return found
    }

    /// The parent a file names; nil if it is a whole disk or no image. Of a file that another program writes to, as it is now.
    private func parentNamed(in path: String) throws(StorageFault) -> ParentReference? {
        do throws(StorageFault) {
            let layer = try self.layer(path, writable: false)
            defer { try? layer.close() }
            return layer.parent
        } catch {
            guard error.id == "IMAGE-BUSY" else {
                guard error.kind == .damaged || error.kind == .badInput else { throw error }
                return nil
            }
            // If it cannot be read while it is written, it may be a child as well as not.
            guard let layer = try? self.layer(path, writable: false, locking: false) else { throw error }
            defer { try? layer.close() }
            return layer.parent
        }
    }

    /// `IMAGE-BUSY` if another program has the file open.
    func checkFree(_ path: String) throws(StorageFault) {
        let file = try files.open(path, .read)
        defer { file.close() }
        if try !file.lock(exclusive: true, wait: false) { throw busy(path, "uses") }
    }
}
