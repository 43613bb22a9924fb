/**
 * A disk that remembers what was done to it, and what of that was synced: for tests that crash at every step. It stands
 * between Files.ts and node:fs, as the port FileSystem, and passes everything on. What a crash may leave is every subset
 * of what was not synced: writes of a file until its sync, names of a directory until the directory's.
 */
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import { dirname, relative } from "node:path"
import type { Callback, FileSystem } from "../../src/EventStore/FileSystem.ts"

type Operation =
  | { readonly _tag: "Create"; readonly path: string; readonly file: number }
  | { readonly _tag: "Resize"; readonly file: number; readonly lengthBytes: number }
  | { readonly _tag: "Write"; readonly file: number; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly _tag: "Sync"; readonly file: number }
  | { readonly _tag: "Rename"; readonly from: string; readonly to: string }
  | { readonly _tag: "Unlink"; readonly path: string }
  | { readonly _tag: "SyncNames"; readonly directory: string }

/** Files by path. */
export type Contents = ReadonlyMap<string, Uint8Array>

/** A file that was there before. */
interface Found {
  readonly path: string
  readonly file: number
  readonly bytes: Uint8Array
}

export interface Recording {
  readonly before: ReadonlyArray<Found>
  readonly operations: ReadonlyArray<Operation>
  /** For each operation, the position of the one that made it durable. */
  readonly durableAt: ReadonlyArray<number>
}

interface Running {
  readonly root: string
  readonly before: ReadonlyArray<Found>
  readonly operations: Array<Operation>
  /** The file that a path stands for now. */
  readonly names: Map<string, number>
}

let running: Running | undefined
let nextFile = 1
const opened = new Map<number, { readonly path: string; file: number | undefined; readonly isDirectory: boolean }>()

/** What the operating system says to the next operations; undefined: what it says by itself. */
export const faults: {
  write: ((path: string) => string | undefined) | undefined
} = { write: undefined }

const isWithin = (path: string) => running !== undefined && !relative(running.root, path).startsWith("..")

const fileAt = (path: string): number => {
  const known = running?.names.get(path)
  if (known !== undefined) return known
  const file = nextFile++
  running?.names.set(path, file)
  return file
}

/** The file behind a descriptor, which may have been opened before the recording began. */
const fileOf = (descriptor: number): number | undefined => {
  const known = opened.get(descriptor)
  if (known === undefined || known.isDirectory || !isWithin(known.path)) return undefined
  known.file ??= fileAt(known.path)
  return known.file
}

const note = (operation: Operation) => running?.operations.push(operation)

/** All files below `root`. */
export function contentsOf(root: string): Contents {
  const names = fs.readdirSync(root, { recursive: true, withFileTypes: true })
  const files = names.filter((name) => name.isFile()).map((name) => `${name.parentPath}/${name.name}`)
  return new Map(files.sort().map((path) => [path, new Uint8Array(fs.readFileSync(path))]))
}

/** Makes the files below `root` what they were, or would have been. */
export function restore(root: string, contents: Contents): void {
  for (const path of contentsOf(root).keys()) if (!contents.has(path)) fs.rmSync(path)
  for (const [path, bytes] of contents) fs.writeFileSync(path, bytes)
}

/** Begins to record what is done below `root`, all of which counts as synced. */
export function record(root: string): void {
  const before = [...contentsOf(root)].map(([path, bytes]) => ({ path, bytes, file: nextFile++ }))
  running = { root, before, operations: [], names: new Map(before.map(({ path, file }) => [path, file])) }
}

export function stop(): Recording {
  const { before, operations } = running!
  running = undefined
  const durableAt = operations.map((operation, at) => {
    const later = operations.findIndex((other, position) => position > at && makesDurable(other, operation))
    return later < 0 ? Number.POSITIVE_INFINITY : later
  })
  return { before, operations, durableAt }
}

function makesDurable(sync: Operation, operation: Operation): boolean {
  switch (operation._tag) {
    case "Write":
    case "Resize":
      return sync._tag === "Sync" && sync.file === operation.file
    case "Create":
    case "Unlink":
      return sync._tag === "SyncNames" && sync.directory === dirname(operation.path)
    case "Rename":
      return sync._tag === "SyncNames" && sync.directory === dirname(operation.to)
    case "Sync":
    case "SyncNames":
      return false
  }
}

/** How many operations were recorded so far: what was promised by then must hold in every crash from there on. */
export const position = () => running?.operations.length ?? 0

/** Passes an outcome on, and then notes it if it is a success. */
const done =
  <A>(callback: Callback<A>, then: (value: A) => void): Callback<A> =>
  (error, value) => {
    if (error === null || error === undefined) then(value as A)
    callback(error, value)
  }

const synced = (descriptor: number) => (): void => {
  const file = fileOf(descriptor)
  const { isDirectory, path = "" } = opened.get(descriptor) ?? {}
  if (file !== undefined) note({ _tag: "Sync", file })
  else if (isDirectory && isWithin(path)) note({ _tag: "SyncNames", directory: path })
}

/** What the operating system says to a write of this file, if a test says so. */
const faultOf = (descriptor: number): Error | undefined => {
  const code = faults.write?.(opened.get(descriptor)?.path ?? "")
  return code === undefined ? undefined : Object.assign(new Error(code), { code })
}

/** node:fs, with every operation that changes files recorded. Provide it as `FileSystem`. */
export const recorded: FileSystem = {
  ...(fs as FileSystem),
  open: (path, flags, callback) => {
    const isMade = !fs.existsSync(path)
    const then = (descriptor: number) => {
      const isFile = !fs.statSync(path).isDirectory()
      opened.set(descriptor, { path, file: undefined, isDirectory: !isFile })
      fileOf(descriptor)
      if (!isFile || !isWithin(path) || flags === "r") return
      if (isMade) note({ _tag: "Create", path, file: fileAt(path) })
      if (flags === "w") note({ _tag: "Resize", file: fileAt(path), lengthBytes: 0 })
    }
    fs.open(path, flags, done(callback, then))
  },
  write: (descriptor, bytes, at, lengthBytes, offset, callback) => {
    const file = fileOf(descriptor)
    const fault = faultOf(descriptor)
    if (fault !== undefined) return void setImmediate(callback, fault)
    const copy = bytes.slice(at, at + lengthBytes)
    const then = (count: number) => {
      if (file !== undefined) note({ _tag: "Write", file, offset, bytes: copy.subarray(0, count) })
    }
    fs.write(descriptor, bytes, at, lengthBytes, offset, done(callback, then))
  },
  writeSync: (descriptor, bytes, at, lengthBytes, offset) => {
    const file = fileOf(descriptor)
    const fault = faultOf(descriptor)
    if (fault !== undefined) throw fault
    const count = fs.writeSync(descriptor, bytes, at, lengthBytes, offset)
    if (file !== undefined) note({ _tag: "Write", file, offset, bytes: bytes.slice(at, at + count) })
    return count
  },
  ftruncate: (descriptor, lengthBytes, callback) => {
    const file = fileOf(descriptor)
    const then = () => file !== undefined && note({ _tag: "Resize", file, lengthBytes })
    fs.ftruncate(descriptor, lengthBytes, done(callback, then))
  },
  fsync: (descriptor, callback) => fs.fsync(descriptor, done(callback, synced(descriptor))),
  fdatasync: (descriptor, callback) => fs.fdatasync(descriptor, done(callback, synced(descriptor))),
  rename: (from, to, callback) => {
    const then = () => {
      if (!isWithin(to)) return
      const file = fileAt(from)
      running?.names.delete(from)
      running?.names.set(to, file)
      note({ _tag: "Rename", from, to })
    }
    fs.rename(from, to, done(callback, then))
  },
  unlink: (path, callback) => {
    const then = () => {
      if (!isWithin(path)) return
      running?.names.delete(path)
      note({ _tag: "Unlink", path })
    }
    fs.unlink(path, done(callback, then))
  }
}

/** Whether an operation that was not synced has reached the disk all the same. */
export type Reached = (operation: Operation) => boolean

/** What a crash after the first `count` operations leaves, if of those that were not synced just some have reached the disk. */
export function crashed({ before, operations, durableAt }: Recording, count: number, reached: Reached): Contents {
  const names = new Map(before.map(({ path, file }) => [path, file]))
  const files = new Map(before.map(({ file, bytes }) => [file, bytes]))
  const resized = (file: number, lengthBytes: number) => {
    const bytes = new Uint8Array(lengthBytes)
    bytes.set((files.get(file) ?? new Uint8Array(0)).subarray(0, lengthBytes))
    files.set(file, bytes)
    return bytes
  }
  for (const [at, operation] of operations.slice(0, count).entries()) {
    if (durableAt[at]! >= count && !reached(operation)) continue
    switch (operation._tag) {
      case "Create":
        names.set(operation.path, operation.file)
        break
      case "Resize":
        resized(operation.file, operation.lengthBytes)
        break
      case "Write": {
        const { bytes, file, offset } = operation
        resized(file, Math.max(files.get(file)?.length ?? 0, offset + bytes.length)).set(bytes, offset)
        break
      }
      case "Rename": {
        const file = names.get(operation.from)
        if (file === undefined) break
        names.delete(operation.from)
        names.set(operation.to, file)
        break
      }
      case "Unlink":
        names.delete(operation.path)
        break
      case "Sync":
      case "SyncNames":
        break
    }
  }
  return new Map([...names].map(([path, file]) => [path, files.get(file) ?? new Uint8Array(0)]))
}

const isName = ({ _tag }: Operation) => _tag === "Create" || _tag === "Rename" || _tag === "Unlink"

/** Every crash of a recording, each state once: all, nothing, just names or just data has reached the disk, or any subset. */
export function* crashes(
  recording: Recording,
  below: (bound: number) => number
): Generator<{ readonly count: number; readonly contents: Contents }> {
  const subset: Reached = () => below(2) === 0
  const kinds: ReadonlyArray<Reached> = [() => true, () => false, isName, (one) => !isName(one), subset, subset, subset]
  for (let count = 0; count <= recording.operations.length; count++) {
    const seen = new Set<string>()
    for (const reached of kinds) {
      const contents = crashed(recording, count, reached)
      const hash = createHash("sha1")
      for (const [path, bytes] of [...contents].sort()) hash.update(path).update(`${bytes.length}`).update(bytes)
      const key = hash.digest("hex")
      if (seen.has(key)) continue
      seen.add(key)
      yield { count, contents }
    }
  }
}
