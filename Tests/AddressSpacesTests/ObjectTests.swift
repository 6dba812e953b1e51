import Testing

/// Files of huge pages: shared and private mappings, ends and holes, deletion.
@Suite struct ObjectTests {
  @Test(arguments: HugeCase.all + HugeCase.everySize) func reservationsOfAFileCountOnce(_ at: HugeCase) throws {
    try at.run(
      """
      pool 5              | 5 5 0 0
      file f 4            | 5 5 0 0
      space p             | 5 5 0 0
      space q             | 5 5 0 0
      p share a 2 f 0     | 5 5 2 0
      p share b 3 f 1     | 5 5 4 0
      q share c 4 f 0     | 5 5 4 0
      q write c 0         | 5 4 3 0
      p write a 0         | 5 4 3 0
      p read b 1          | 5 3 2 0
      q write c 2         | 5 3 2 0
      p unmap a           | 5 3 2 0
      p unmap b           | 5 3 2 0
      end q               | 5 3 2 0
      has f 4 2           | 5 3 2 0
      p share a 4 f 0 noreserve | 5 3 2 0
      p read a 0..4       | 5 1 0 0
      delete f            | 5 1 0 0
      p unmap a 0..3      | 5 1 0 0
      p unmap a 3         | 5 5 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func aPrivateMappingSeesTheFileUntilItWrites(_ at: HugeCase) throws {
    try at.run(
      """
      pool 6               | 6 6 0 0
      file f 3             | 6 6 0 0
      space p              | 6 6 0 0
      p share a 3 f 0      | 6 6 3 0
      p write a 0..2       | 6 4 1 0
      p private b 3 f 0    | 6 4 4 0
      p read b 0           | 6 4 4 0
      p write b 0          | 6 3 3 0
      p write b 1          | 6 2 2 0
      p read b 2           | 6 1 1 0
      has f 3 2            | 6 1 1 0
      p write a 2          | 6 0 0 0
      p read b 2           | 6 0 0 0
      p unmap b            | 6 3 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func aFileWithoutPagesStaysSo(_ at: HugeCase) throws {
    try at.run(
      """
      pool 4                 | 4 4 0 0
      file f 2               | 4 4 0 0
      space p                | 4 4 0 0
      p private a 2 f 0      | 4 4 2 0
      p write a 0            | 4 3 1 0
      p read a 1             | 4 2 0 0
      has f 2 0              | 4 2 0 0
      fork p c               | 4 2 0 0
      c write a 0            | 4 1 0 0
      p share b 2 f 0 !notReserved | 4 1 0 0
      end c                  | 4 2 0 0
      p share b 2 f 0        | 4 2 2 0
      p read b 0             | 4 1 1 0
      """)
  }

  @Test(arguments: HugeCase.all) func whatIsMappedForWritingMakesAFileLonger(_ at: HugeCase) throws {
    try at.run(
      """
      pool 8                        | 8 8 0 0
      file f 1                      | 8 8 0 0
      space p                       | 8 8 0 0
      p share a 2 f 0 ro            | 8 8 2 0
      p read a 1 !beyondObject      | 8 8 2 0
      has f 1 0                     | 8 8 2 0
      p share b 2 f 1               | 8 8 3 0
      has f 3 0                     | 8 8 3 0
      p read a 1                    | 8 7 2 0
      p private c 2 f 3             | 8 7 4 0
      has f 5 1                     | 8 7 4 0
      p write c 1                   | 8 6 3 0
      p private d 1 f 6 ro          | 8 6 4 0
      p read d 0 !beyondObject      | 8 6 4 0
      """)
  }

  @Test(arguments: HugeCase.all) func aRefusedMappingReservesNothingOfAFile(_ at: HugeCase) throws {
    try at.run(
      """
      pool 8                        | 8 8 0 0
      file f 1                      | 8 8 0 0
      space p                       | 8 8 0 0
      p map a 2                     | 8 8 2 0
      p share b 3 f 0 at:a+1 !occupied   | 8 8 2 0
      p share b 3 f 0 at:a+4~ !misaligned | 8 8 2 0
      p private b 3 f 0 at:a+1 !occupied | 8 8 2 0
      has f 1 0                     | 8 8 2 0
      p share b 9 f 0 !notReserved  | 8 8 2 0
      has f 1 0                     | 8 8 2 0
      """)
  }

  @Test(arguments: HugeCase.all) func whatIsCutOffIsGoneEverywhere(_ at: HugeCase) throws {
    try at.run(
      """
      pool 8                    | 8 8 0 0
      file f 4                  | 8 8 0 0
      space p                   | 8 8 0 0
      space q                   | 8 8 0 0
      p share a 4 f 0           | 8 8 4 0
      q private b 4 f 0         | 8 8 8 0
      p write a 0..3            | 8 5 5 0
      q write b 1..4            | 8 2 2 0
      truncate f 2              | 8 5 3 0
      p write a 1               | 8 5 3 0
      p read a 2 !beyondObject  | 8 5 3 0
      q read b 1                | 8 5 3 0
      q read b 3 !beyondObject  | 8 5 3 0
      truncate f 4              | 8 5 3 0
      p write a 2               | 8 4 3 0
      q write b 2..4            | 8 2 1 0
      truncate f 0              | 8 8 4 0
      q unmap b                 | 8 8 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func aHoleIsFilledAnew(_ at: HugeCase) throws {
    try at.run(
      """
      pool 4                  | 4 4 0 0
      file f 4                | 4 4 0 0
      space p                 | 4 4 0 0
      p share a 3 f 0         | 4 4 3 0
      p write a 0..2          | 4 2 1 0
      punch f 0..2            | 4 4 1 0
      has f 4 0               | 4 4 1 0
      punch f 0..4            | 4 4 1 0
      p write a 2             | 4 3 0 0
      p write a 0             | 4 2 0 0
      p map b 2               | 4 2 2 0
      p write a 1 !noHugePage | 4 2 2 0
      p unmap b               | 4 2 0 0
      p write a 1             | 4 1 0 0
      p advise a 0..3 removed | 4 4 0 0
      p private c 2 f 0       | 4 4 2 0
      p write c 0             | 4 3 1 0
      punch f 0..2            | 4 3 1 0
      p advise c 0 removed !unsuitable | 4 3 1 0
      """)
  }

  @Test(arguments: HugeCase.all) func aDeletedFileLivesAsLongAsItIsMapped(_ at: HugeCase) throws {
    try at.run(
      """
      pool 4                   | 4 4 0 0
      file f 3                 | 4 4 0 0
      space p                  | 4 4 0 0
      p share a 3 f 0          | 4 4 3 0
      p write a 0              | 4 3 2 0
      delete f                 | 4 3 2 0
      p share b 1 f 0 !deleted | 4 3 2 0
      p write a 1              | 4 2 1 0
      fork p c                 | 4 2 1 0
      p unmap a                | 4 2 1 0
      c write a 0..3           | 4 1 0 0
      c pin l a 1 write        | 4 1 0 0
      end c                    | 4 3 0 0
      unpin l                  | 4 4 0 0
      file f 2                 | 4 4 0 0
      p share a 2 f 0          | 4 4 2 0
      p write a 0              | 4 3 1 0
      p unmap a                | 4 3 1 0
      delete f                 | 4 4 0 0
      """)
  }

  @Test(arguments: MemoryModels.all) func allSeeWhatIsWrittenToAFile(_ at: HugeCase) throws {
    try HugeCase.runWithContents(
      """
      pool 6               | 6 6 0 0
      file f 2             | 6 6 0 0
      space p              | 6 6 0 0
      space q              | 6 6 0 0
      p share a 2 f 0      | 6 6 2 0
      p share b 1 f 1      | 6 6 2 0
      q share c 2 f 0      | 6 6 2 0
      q private d 2 f 0    | 6 6 4 0
      p put a 1 5          | 6 5 3 0
      p see b 0 5          | 6 5 3 0
      q see c 1 5          | 6 5 3 0
      q see d 1 5          | 6 5 3 0
      q put c 1 6          | 6 5 3 0
      q see d 1 6          | 6 5 3 0
      q put d 1 7          | 6 4 2 0
      p see a 1 6          | 6 4 2 0
      p put b 0 8          | 6 4 2 0
      q see d 1 7          | 6 4 2 0
      punch f 1            | 6 5 2 0
      q see d 1 7          | 6 5 2 0
      q see c 1 0          | 6 4 2 0
      """, model: at.model)
  }
}
