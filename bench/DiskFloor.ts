/**
 * The floor of the disk: 4 KiB written after each other and synced one by one, as a log that groups nothing would. Into
 * blocks written ahead with zeros, as the segments of the log are. Blocks this process: run it beside no load.
 */
import { closeSync, fdatasyncSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const blockBytes = 4096
const fileBlocks = 4096

/** Appends with a sync per second, over `measureMs`. */
export const measureDiskFloor = (measureMs: number): number => {
  const directory = mkdtempSync(join(tmpdir(), "lithair-bench-disk-"))
  const file = openSync(join(directory, "log"), "w")
  try {
    writeSync(file, Buffer.alloc(blockBytes * fileBlocks))
    fsyncSync(file)
    const block = Buffer.alloc(blockBytes, 1)
    const startedMs = performance.now()
    let count = 0
    do {
      writeSync(file, block, 0, blockBytes, (count % fileBlocks) * blockBytes)
      fdatasyncSync(file)
      count += 1
    } while (performance.now() - startedMs < measureMs)
    return (count * 1000) / (performance.now() - startedMs)
  } finally {
    closeSync(file)
    rmSync(directory, { recursive: true })
  }
}
