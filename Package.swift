// swift-tools-version: 6.2
import PackageDescription

// MEGALITH_EMBEDDED=1 builds only the core, as a kernel would link it (see Scripts/embedded.sh).
// MEGALITH_STRICT=1 makes warnings errors; continuous integration sets it.
let isEmbedded = Context.environment["MEGALITH_EMBEDDED"] == "1"
let isStrict = Context.environment["MEGALITH_STRICT"] == "1"

let common: [SwiftSetting] = isStrict ? [.treatAllWarnings(as: .error)] : []
let core: [SwiftSetting] =
  common + [.strictMemorySafety()] + (isEmbedded ? [.enableExperimentalFeature("Embedded")] : [])

// Rooms of the core, lowest first. A target may name only rooms above it in this list.
var targets: [Target] = [
  .target(name: "MemoryUnits", swiftSettings: core),
  .target(name: "PhysicalLayout", dependencies: ["MemoryUnits"], swiftSettings: core),
  .target(name: "FrameMap", dependencies: ["MemoryUnits", "PhysicalLayout"], swiftSettings: core),
  .target(name: "FrameAllocator", dependencies: ["MemoryUnits", "PhysicalLayout", "FrameMap"], swiftSettings: core),
  .target(name: "FrameContents", dependencies: ["MemoryUnits"], swiftSettings: core),
  .target(
    name: "Mobility", dependencies: ["MemoryUnits", "PhysicalLayout", "FrameMap", "FrameAllocator", "FrameContents"],
    swiftSettings: core),
  .target(
    name: "HugePools",
    dependencies: ["MemoryUnits", "PhysicalLayout", "FrameMap", "FrameAllocator", "FrameContents", "Mobility"],
    swiftSettings: core),
  .target(
    name: "AddressSpaces",
    dependencies: ["MemoryUnits", "PhysicalLayout", "FrameMap", "FrameAllocator", "FrameContents", "Mobility", "HugePools"],
    swiftSettings: core),
  .target(
    name: "Hotplug",
    dependencies: ["MemoryUnits", "PhysicalLayout", "FrameMap", "FrameAllocator", "FrameContents", "Mobility", "HugePools"],
    swiftSettings: core),
]
var products: [Product] = [
  .library(name: "MemoryUnits", targets: ["MemoryUnits"]),
  .library(name: "PhysicalLayout", targets: ["PhysicalLayout"]),
  .library(name: "FrameMap", targets: ["FrameMap"]),
  .library(name: "FrameAllocator", targets: ["FrameAllocator"]),
  .library(name: "FrameContents", targets: ["FrameContents"]),
  .library(name: "Mobility", targets: ["Mobility"]),
  .library(name: "HugePools", targets: ["HugePools"]),
  .library(name: "AddressSpaces", targets: ["AddressSpaces"]),
  .library(name: "Hotplug", targets: ["Hotplug"]),
]
var dependencies: [Package.Dependency] = []

if !isEmbedded {
  dependencies = [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ]
  products += [
    .library(name: "HostArena", targets: ["HostArena"]),
    .library(name: "Megalith", targets: ["Megalith"]),
    .library(name: "HostMemory", targets: ["HostMemory"]),
    .library(name: "Lab", targets: ["Lab"]),
    .executable(name: "megalith", targets: ["MegalithCommand"]),
    .executable(name: "megalith-bench", targets: ["MegalithBench"]),
  ]
  targets += [
    .target(name: "CHostArena"),
    .target(
      name: "HostArena", dependencies: ["MemoryUnits", "PhysicalLayout", "FrameMap", "FrameContents", "CHostArena"],
      swiftSettings: common),
    .target(
      name: "Megalith",
      dependencies: [
        "MemoryUnits", "PhysicalLayout", "FrameMap", "FrameAllocator", "FrameContents", "Mobility", "HugePools", "AddressSpaces",
        "Hotplug", "HostArena",
      ],
      swiftSettings: common),
    .target(
      name: "HostMemory",
      dependencies: [
        "MemoryUnits", "PhysicalLayout", "FrameMap", "FrameAllocator", "FrameContents", "Mobility", "AddressSpaces", "HostArena",
        "Megalith", "CHostArena", .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: common),
    .target(
      name: "Lab",
      dependencies: [
        "MemoryUnits", "PhysicalLayout", "FrameMap", "FrameAllocator", "FrameContents", "Mobility", "HugePools", "AddressSpaces",
        "Hotplug", "HostArena", "Megalith", .product(name: "Yams", package: "Yams"),
      ],
      swiftSettings: common),
    .executableTarget(
      name: "MegalithCommand",
      dependencies: [
        "MemoryUnits", "PhysicalLayout", "FrameMap", "FrameAllocator", "HostMemory", "HostArena", "Megalith", "Lab",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: common),
    // What the allocator is measured against, in C. Loops shift with their alignment, so that both sides pad their branches.
    .target(name: "CBaselines", cSettings: [.unsafeFlags(["-O2", "-mbranches-within-32B-boundaries"])]),
    .executableTarget(
      name: "MegalithBench",
      dependencies: [
        "MemoryUnits", "PhysicalLayout", "FrameMap", "FrameAllocator", "FrameContents", "Mobility", "HugePools", "AddressSpaces",
        "Hotplug", "HostArena", "Megalith", "Lab", "CBaselines",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: common + [.unsafeFlags(["-Xllvm", "-x86-branches-within-32B-boundaries"])]),
    .target(
      name: "TestSupport",
      dependencies: ["MemoryUnits", "PhysicalLayout", "FrameMap", "FrameContents", "AddressSpaces", "HostArena"],
      path: "Tests/TestSupport", swiftSettings: common),
    .testTarget(name: "MemoryUnitsTests", dependencies: ["MemoryUnits", "TestSupport"], swiftSettings: common),
    .testTarget(
      name: "PhysicalLayoutTests", dependencies: ["MemoryUnits", "PhysicalLayout", "TestSupport"],
      swiftSettings: common),
    .testTarget(
      name: "FrameContentsTests", dependencies: ["MemoryUnits", "FrameContents", "HostArena", "TestSupport"],
      swiftSettings: common),
    .testTarget(
      name: "FrameMapTests", dependencies: ["MemoryUnits", "PhysicalLayout", "FrameMap", "HostArena", "TestSupport"],
      swiftSettings: common),
    .testTarget(
      name: "HostArenaTests",
      dependencies: ["MemoryUnits", "PhysicalLayout", "FrameMap", "FrameContents", "HostArena", "TestSupport"],
      swiftSettings: common),
    .testTarget(
      name: "FrameAllocatorTests",
      dependencies: [
        "MemoryUnits", "PhysicalLayout", "FrameMap", "FrameAllocator", "HostArena", "CBaselines", "TestSupport",
      ],
      swiftSettings: common),
    .testTarget(
      name: "MegalithTests",
      dependencies: [
        "MemoryUnits", "PhysicalLayout", "FrameMap", "FrameAllocator", "FrameContents", "Mobility", "HostArena", "Megalith",
        "TestSupport",
      ],
      swiftSettings: common),
    .testTarget(
      name: "HugePoolsTests",
      dependencies: [
        "MemoryUnits", "PhysicalLayout", "FrameMap", "FrameAllocator", "FrameContents", "Mobility", "HugePools", "HostArena",
        "Megalith", "TestSupport",
      ],
      swiftSettings: common),
    .testTarget(
      name: "AddressSpacesTests",
      dependencies: [
        "MemoryUnits", "PhysicalLayout", "FrameMap", "FrameAllocator", "FrameContents", "Mobility", "HugePools", "AddressSpaces",
        "HostArena", "Megalith", "TestSupport",
      ],
      swiftSettings: common),
    .testTarget(
      name: "HotplugTests",
      dependencies: [
        "MemoryUnits", "PhysicalLayout", "FrameMap", "FrameAllocator", "FrameContents", "Mobility", "HugePools", "AddressSpaces",
        "Hotplug", "HostArena", "Megalith", "TestSupport",
      ],
      swiftSettings: common),
    .testTarget(
      name: "RegressionTests",
      dependencies: [
        "MemoryUnits", "PhysicalLayout", "FrameMap", "FrameAllocator", "Mobility", "HugePools", "AddressSpaces", "Hotplug",
        "HostArena", "Megalith", "TestSupport",
      ],
      swiftSettings: common),
    .testTarget(
      name: "HostMemoryTests",
      dependencies: [
        "MemoryUnits", "PhysicalLayout", "FrameMap", "FrameAllocator", "FrameContents", "Mobility", "AddressSpaces", "HostArena",
        "Megalith", "HostMemory", "TestSupport", .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: common),
    .testTarget(
      name: "LabTests",
      dependencies: [
        "MemoryUnits", "PhysicalLayout", "FrameMap", "FrameAllocator", "FrameContents", "Mobility", "HugePools", "AddressSpaces",
        "Hotplug", "HostArena", "Megalith", "Lab", "TestSupport",
      ],
      swiftSettings: common),
    .testTarget(
      name: "CommandTests", dependencies: ["MegalithCommand", "HostMemory", "Lab", "TestSupport"], swiftSettings: common),
  ]
}

let package = Package(
  name: "megalith",
  products: products,
  dependencies: dependencies,
  targets: targets,
  swiftLanguageModes: [.v6])
