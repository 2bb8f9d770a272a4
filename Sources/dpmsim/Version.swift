/// The program's version. Part of what a run is a function of, so every report names it.
let dpmsimVersion = "0.5.0"
