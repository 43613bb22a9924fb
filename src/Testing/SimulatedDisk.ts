/**
 * A disk that forgets what was not synced, as a FileSystem (EventStore/FileSystem.ts): the real log and the real
 * snapshots run on it. It keeps the page cache and the platter apart. Killing a process leaves the cache; losing power
 * leaves the platter, and of what was unsynced any part: sectors, lengths, names. All choices come from one sequence of
 * numbers. What the calls do is SimulatedFiles.ts.
 */
import * as Random from "./simulator/Random.ts"

/** A disk writes a sector whole. Larger sectors have 4 KiB. */
export type SectorBytes = 512 | 4096

/** A file: the content that its readers see, and the content on the platter. */
export interface SimulatedFile {
  readonly _tag: "File"
  readonly number: bigint
  bytes: Uint8Array
  platter: Uint8Array
  /** Sectors that the next sync writes. One that a failed sync left behind is not among them: it looks clean. */
  readonly dirty: Set<number>
  isLengthDirty: boolean
}

export interface SimulatedFolder {
  readonly _tag: "Folder"
  readonly number: bigint
  readonly names: Map<string, Node>
  readonly platter: Map<string, Node>
  /** The changes of names since the last sync, in order. */
  readonly changes: Array<Change>
}

export type Node = SimulatedFile | SimulatedFolder

/** `name` now stands for `node`, or for nothing. In the same step `from` stands for nothing. */
interface Change {
  readonly name: string
  readonly node: Node | undefined
  readonly from?: string
}

export interface SimulatedDisk {
  readonly random: Random.Random
  readonly sectorBytes: SectorBytes
  readonly root: SimulatedFolder
  /** The space for all files together. A write past it ends short, with ENOSPC. */
  capacityBytes: number
  nextNumber: bigint
}

const makeFolder = (number: bigint): SimulatedFolder => ({
  _tag: "Folder",
  number,
  names: new Map(),
  platter: new Map(),
  changes: []
})

export const make = (random: Random.Random): SimulatedDisk => ({
  random,
  sectorBytes: Random.isChosen(random, 0.5) ? 512 : 4096,
  root: makeFolder(1n),
  capacityBytes: Number.POSITIVE_INFINITY,
  nextNumber: 2n
})

export const addFile = (disk: SimulatedDisk, folder: SimulatedFolder, name: string): SimulatedFile => {
  const file: SimulatedFile = {
    _tag: "File",
    number: disk.nextNumber++,
    bytes: new Uint8Array(0),
    platter: new Uint8Array(0),
    dirty: new Set(),
    isLengthDirty: false
  }
  change(folder, { name, node: file })
  return file
}

export const addFolder = (disk: SimulatedDisk, folder: SimulatedFolder, name: string): void =>
  change(folder, { name, node: makeFolder(disk.nextNumber++) })

export const change = (folder: SimulatedFolder, made: Change): void => {
  folder.changes.push(made)
  carryOut(folder.names, made)
}

const carryOut = (names: Map<string, Node>, { from, name, node }: Change): void => {
  if (from !== undefined) names.delete(from)
  if (node === undefined) names.delete(name)
  else names.set(name, node)
}

/** How many bytes can still be added to files. */
export const roomBytes = (disk: SimulatedDisk): number =>
  disk.capacityBytes === Number.POSITIVE_INFINITY
    ? Number.POSITIVE_INFINITY
    : disk.capacityBytes - filesIn(disk.root).reduce((sum, { file }) => sum + file.bytes.length, 0)

/** All files below a folder, with their paths. */
export const filesIn = (
  folder: SimulatedFolder,
  above = ""
): ReadonlyArray<{ readonly path: string; readonly file: SimulatedFile }> =>
  [...folder.names].flatMap(([name, node]) => {
    const path = `${above}/${name}`
    return node._tag === "File" ? [{ path, file: node }] : filesIn(node, path)
  })

const resized = (bytes: Uint8Array, lengthBytes: number): Uint8Array => {
  if (bytes.length === lengthBytes) return bytes
  const other = new Uint8Array(lengthBytes)
  other.set(bytes.subarray(0, lengthBytes))
  return other
}

export const resize = (file: SimulatedFile, lengthBytes: number): void => {
  if (file.bytes.length === lengthBytes) return
  file.bytes = resized(file.bytes, lengthBytes)
  file.isLengthDirty = true
}

export const write = (disk: SimulatedDisk, file: SimulatedFile, bytes: Uint8Array, offset: number): void => {
  resize(file, Math.max(file.bytes.length, offset + bytes.length))
  file.bytes.set(bytes, offset)
  const last = Math.floor((offset + bytes.length - 1) / disk.sectorBytes)
  for (let sector = Math.floor(offset / disk.sectorBytes); sector <= last; sector++) file.dirty.add(sector)
}

/** So many bytes of the sector reach the platter, if it is that long by now. */
const flush = (disk: SimulatedDisk, file: SimulatedFile, sector: number, countBytes: number): void => {
  const start = sector * disk.sectorBytes
  const end = Math.min(start + countBytes, file.bytes.length, file.platter.length)
  if (start < end) file.platter.set(file.bytes.subarray(start, end), start)
}

export const syncFile = (disk: SimulatedDisk, file: SimulatedFile): void => {
  file.platter = resized(file.platter, file.bytes.length)
  for (const sector of file.dirty) flush(disk, file, sector, disk.sectorBytes)
  file.dirty.clear()
  file.isLengthDirty = false
}

/**
 * A sync that the disk refuses, as Linux does it: some sectors are written, all count as clean from then on, and no
 * later sync writes the rest (https://lwn.net/Articles/752063). The cache shows them until it is gone.
 */
export const failSync = (disk: SimulatedDisk, file: SimulatedFile): void => {
  writeSome(disk, file)
  file.dirty.clear()
  file.isLengthDirty = false
}

export const syncFolder = (folder: SimulatedFolder): void => {
  for (const made of folder.changes.splice(0)) carryOut(folder.platter, made)
}

/** Any of the unsynced sectors reach the platter, and one of them perhaps in part; so may the length. */
const writeSome = (disk: SimulatedDisk, file: SimulatedFile): void => {
  const { random, sectorBytes } = disk
  const chance = Random.pick(random, [0, 0.1, 0.5, 0.9, 1])
  if (file.isLengthDirty && random() < chance) file.platter = resized(file.platter, file.bytes.length)
  for (const sector of file.dirty) {
    if (random() < chance) flush(disk, file, sector, sectorBytes)
    else if (random() < 0.1) flush(disk, file, sector, Random.below(random, sectorBytes))
  }
}

/** The power goes: the platter keeps its content, and any part of the unsynced content. */
export const losePower = (disk: SimulatedDisk): void => {
  forget(disk, disk.root)
}

const forget = (disk: SimulatedDisk, folder: SimulatedFolder): void => {
  const { random } = disk
  const chance = Random.pick(random, [0, 0.5, 1])
  for (const made of folder.changes.splice(0)) if (random() < chance) carryOut(folder.platter, made)
  folder.names.clear()
  for (const [name, node] of folder.platter) {
    folder.names.set(name, node)
    if (node._tag === "Folder") {
      forget(disk, node)
      continue
    }
    writeSome(disk, node)
    node.bytes = node.platter.slice()
    node.dirty.clear()
    node.isLengthDirty = false
  }
}

/** Bytes rot at rest: a bit flips. The cache no longer holds them by then. */
export const flipBit = (file: SimulatedFile, bit: number): void => {
  for (const bytes of [file.bytes, file.platter]) bytes[bit >> 3] = bytes[bit >> 3]! ^ (1 << (bit & 7))
}

/** A whole sector rots, to anything but what it was. */
export const rotSector = (disk: SimulatedDisk, file: SimulatedFile, sector: number): void => {
  const start = sector * disk.sectorBytes
  const end = Math.min(start + disk.sectorBytes, file.bytes.length)
  for (let at = start; at < end; at++) {
    file.bytes[at] = file.bytes[at]! ^ (1 + Random.below(disk.random, 255))
    file.platter[at] = file.bytes[at]!
  }
}
