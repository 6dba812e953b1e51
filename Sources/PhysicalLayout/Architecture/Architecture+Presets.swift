import MemoryUnits

extension Architecture {
  /// 64-bit x86 with four levels of page tables.
  // swift-format-ignore: AlwaysUseLowerCamelCase
  public static let x86_64 = Architecture(
    name: "x86_64", baseShift: PageShift(12), sectionSize: .mebibytes(128), addressLimit: bits(46), maxOrder: Order(10),
    pageblockOrder: Order(9), hugeSizes: sizes(21, 30), tableBits: [9, 9, 9, 9],
    zones: [ZoneLimit(.dma, below: bits(24)), ZoneLimit(.dma32, below: bits(32)), ZoneLimit(.normal, below: nil)],
    subsectionSize: .mebibytes(2), descriptorSize: ByteCount(64), isMemoryAccessibleBeforeOnline: true,
    smallestMemoryBlock: .mebibytes(128), largestMemoryBlock: .gibibytes(2), hasLegacyBIOSArea: true)

  /// 32-bit x86 with physical address extension. The descriptor is that of a kernel without memory control
  /// groups: eight words, 32 bytes.
  public static let i386PAE = Architecture(
    name: "i386-pae", baseShift: PageShift(12), sectionSize: .mebibytes(512), addressLimit: bits(36), maxOrder: Order(10),
    pageblockOrder: Order(9), hugeSizes: sizes(21), tableBits: [9, 9, 2],
    zones: [
      ZoneLimit(.dma, below: bits(24)), ZoneLimit(.normal, below: PhysicalAddress(896 << 20)),
      ZoneLimit(.highMemory, below: nil),
    ],
    subsectionSize: nil, descriptorSize: ByteCount(32), isMemoryAccessibleBeforeOnline: true,
    smallestMemoryBlock: .mebibytes(512), largestMemoryBlock: .mebibytes(512), hasLegacyBIOSArea: true)

  /// 64-bit Arm with 4 KiB pages; 64K and 32M are runs of contiguous entries.
  public static let arm64Granule4K = arm64(
    "arm64-4k", shift: 12, addressBits: 48, sectionShift: 27, maxOrder: 10, pageblockOrder: 9, sizes(16, 21, 25, 30),
    tableBits: [9, 9, 9, 9])

  /// 64-bit Arm with 16 KiB pages; 2M and 1G are runs of contiguous entries.
  public static let arm64Granule16K = arm64(
    "arm64-16k", shift: 14, addressBits: 48, sectionShift: 27, maxOrder: 11, pageblockOrder: 11, sizes(21, 25, 30),
    tableBits: [11, 11, 11, 1])

  /// 64-bit Arm with 64 KiB pages; 2M and 16G are runs of contiguous entries.
  public static let arm64Granule64K = arm64(
    "arm64-64k", shift: 16, addressBits: 52, sectionShift: 29, maxOrder: 13, pageblockOrder: 13, sizes(21, 29, 34),
    tableBits: [13, 13, 10])

  /// 64-bit POWER with 64 KiB pages and the hash table's page sizes.
  public static let ppc64Granule64K = Architecture(
    name: "ppc64-64k", baseShift: PageShift(16), sectionSize: .mebibytes(16), addressLimit: bits(51), maxOrder: Order(8),
    pageblockOrder: Order(8), hugeSizes: sizes(24, 34), tableBits: [8, 10, 10, 8], zones: [ZoneLimit(.normal, below: nil)],
    subsectionSize: .mebibytes(2), descriptorSize: ByteCount(64), isMemoryAccessibleBeforeOnline: true,
    smallestMemoryBlock: .mebibytes(16), largestMemoryBlock: .gibibytes(1), hasLegacyBIOSArea: false)

  /// 64-bit IBM Z. The machine names the increment in which memory comes and goes; the upper bound is this preset's.
  public static let s390x = Architecture(
    name: "s390x", baseShift: PageShift(12), sectionSize: .mebibytes(256), addressLimit: bits(46), maxOrder: Order(8),
    pageblockOrder: Order(8), hugeSizes: sizes(20, 31), tableBits: [8, 11, 11, 11],
    zones: [ZoneLimit(.dma, below: bits(31)), ZoneLimit(.normal, below: nil)],
    subsectionSize: .mebibytes(2), descriptorSize: ByteCount(64), isMemoryAccessibleBeforeOnline: false,
    smallestMemoryBlock: .mebibytes(256), largestMemoryBlock: .gibibytes(64), hasLegacyBIOSArea: false)

  /// 64-bit RISC-V; 64K is a naturally aligned power-of-two entry (NAPOT).
  public static let riscv64 = Architecture(
    name: "riscv64", baseShift: PageShift(12), sectionSize: .mebibytes(128), addressLimit: bits(56), maxOrder: Order(10),
    pageblockOrder: Order(9), hugeSizes: sizes(16, 21, 30), tableBits: [9, 9, 9, 9],
    zones: [ZoneLimit(.dma32, below: bits(32)), ZoneLimit(.normal, below: nil)],
    subsectionSize: .mebibytes(2), descriptorSize: ByteCount(64), isMemoryAccessibleBeforeOnline: true,
    smallestMemoryBlock: .mebibytes(128), largestMemoryBlock: .mebibytes(128), hasLegacyBIOSArea: false)

  /// Every preset.
  public static let allPresets: [Architecture] = [
    .x86_64, .i386PAE, .arm64Granule4K, .arm64Granule16K, .arm64Granule64K, .ppc64Granule64K, .s390x, .riscv64,
  ]

  /// The preset of that name, letter case aside; `arm64` and `ppc64` alone mean the 4 KiB and the 64 KiB one.
  public static func named(_ name: String) -> Architecture? {
    let wanted = Array(name.utf8).map(lowercase)
    for preset in allPresets where Array(preset.name.utf8) == wanted { return preset }
    if wanted == bytes("arm64") || wanted == bytes("aarch64") { return .arm64Granule4K }
    if wanted == bytes("ppc64") || wanted == bytes("ppc64le") { return .ppc64Granule64K }
    if wanted == bytes("i386") { return .i386PAE }
    return nil
  }

  private static func arm64(
    _ name: String, shift: UInt8, addressBits: UInt64, sectionShift: UInt64, maxOrder: UInt8, pageblockOrder: UInt8,
    _ hugeSizes: [PageSize],
    tableBits: [UInt8]
  ) -> Architecture {
    let section = ByteCount(1 << sectionShift)
    return Architecture(
      name: name, baseShift: PageShift(shift), sectionSize: section, addressLimit: bits(addressBits),
      maxOrder: Order(maxOrder), pageblockOrder: Order(pageblockOrder), hugeSizes: hugeSizes, tableBits: tableBits,
      // Both classes end at 4 GiB unless the firmware names a narrower device, which leaves the second one empty.
      zones: [ZoneLimit(.dma, below: bits(32)), ZoneLimit(.dma32, below: bits(32)), ZoneLimit(.normal, below: nil)],
      subsectionSize: .mebibytes(2), descriptorSize: ByteCount(64), isMemoryAccessibleBeforeOnline: true,
      smallestMemoryBlock: section, largestMemoryBlock: section, hasLegacyBIOSArea: false)
  }

  private static func bits(_ count: UInt64) -> PhysicalAddress { PhysicalAddress(1 << count) }

  private static func sizes(_ shifts: UInt8...) -> [PageSize] { shifts.map { PageSize(shift: PageShift($0)) } }
}

private func lowercase(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte }
