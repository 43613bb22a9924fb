/**
 * The calls of one process on a simulated disk, until it is killed: each is done at once, and may be refused as the
 * operating system would. SimulatedDisk.ts keeps the content.
 */
import type { Callback, FileSystem } from "../EventStore/FileSystem.ts"
import * as Disk from "./SimulatedDisk.ts"
import * as Random from "./simulator/Random.ts"

/** The calls that change something, or make a change durable. */
export type Call = "open" | "write" | "ftruncate" | "fdatasync" | "fsync" | "rename" | "unlink" | "mkdir" | "read"

export interface SimulatedProcess {
  readonly system: FileSystem
  /** Calls so far. */
  readonly callsCount: () => number
  readonly isKilled: () => boolean
  /** Later calls do nothing. */
  readonly kill: () => void
}

export interface ProcessOptions {
  /** The process is killed within the call of this number: a write may then be done in part. */
  readonly killedAtCall?: number
  /** The process is killed after the rename of this number, before a sync of the name. */
  readonly killedAfterRename?: number
  /** The error with which the operating system refuses the call; undefined if it does the call. */
  readonly faultOf?: (call: Call, path: string) => "EIO" | "ENOSPC" | undefined
}

class Refused extends Error {
  readonly code: string
  constructor(code: string, what: string) {
    super(`${code}: ${what}`)
    this.code = code
  }
}

interface Open {
  readonly path: string
  readonly node: Disk.Node
}

/** A process that runs on `disk`: one at a time. */
export const start = (disk: Disk.SimulatedDisk, options: ProcessOptions = {}): SimulatedProcess => {
  const { killedAtCall = Number.POSITIVE_INFINITY } = options
  const opened = new Map<number, Open>()
  let nextFile = 3
  let callsCount = 0
  let renamesCount = 0
  let isKilled = false

  /** Does one call. `partly` does what is left of it if the process is killed within. */
  const call = <A>(
    done: Callback<A>,
    what: { readonly call: Call | "look"; readonly path: string },
    work: () => A,
    partly: () => void = () => {}
  ): void => {
    let value: A
    try {
      if (isKilled) throw new Refused("EKILLED", "the process was killed")
      callsCount++
      if (callsCount >= killedAtCall) {
        isKilled = true
        if (Random.isChosen(disk.random, 0.5)) partly()
        throw new Refused("EKILLED", "the process was killed")
      }
      const fault = what.call === "look" ? undefined : options.faultOf?.(what.call, what.path)
      if (fault !== undefined) {
        const node = what.call === "fsync" || what.call === "fdatasync" ? nodeAt(what.path) : undefined
        if (node?._tag === "File") Disk.failSync(disk, node)
        throw new Refused(fault, `${what.call} "${what.path}"`)
      }
      value = work()
    } catch (error) {
      done(error as Error)
      return
    }
    done(null, value)
  }

  const folderOf = (path: string): { readonly folder: Disk.SimulatedFolder; readonly name: string } => {
    const parts = path.split("/").filter((part) => part !== "" && part !== ".")
    const name = parts.pop() ?? ""
    let folder = disk.root
    for (const part of parts) {
      const node = folder.names.get(part)
      if (node === undefined) throw new Refused("ENOENT", `"${path}"`)
      if (node._tag !== "Folder") throw new Refused("ENOTDIR", `"${path}"`)
      folder = node
    }
    return { folder, name }
  }
  const nodeAt = (path: string): Disk.Node | undefined => {
    const { folder, name } = folderOf(path)
    return name === "" ? folder : folder.names.get(name)
  }
  const existing = (path: string): Disk.Node => {
    const node = nodeAt(path)
    if (node === undefined) throw new Refused("ENOENT", `"${path}"`)
    return node
  }
  const openOf = (file: number): Open => {
    const found = opened.get(file)
    if (found === undefined) throw new Refused("EBADF", `${file}`)
    return found
  }
  const fileOf = (file: number): Disk.SimulatedFile => {
    const { node, path } = openOf(file)
    if (node._tag !== "File") throw new Refused("EISDIR", `"${path}"`)
    return node
  }
  const pathOf = (file: number): string => opened.get(file)?.path ?? ""
  const identityOf = ({ number }: Disk.Node) => ({ dev: 1n, ino: number })
  const sync = (file: number) => (): void => {
    const { node } = openOf(file)
    if (node._tag === "File") Disk.syncFile(disk, node)
    else Disk.syncFolder(node)
  }

  const system: FileSystem = {
    open: (path, flags, done) =>
      call(done, { call: "open", path }, () => {
        const { folder, name } = folderOf(path)
        const isMade = flags === "w" || flags === "a"
        const node = isMade ? (nodeAt(path) ?? Disk.addFile(disk, folder, name)) : existing(path)
        if (flags === "w" && node._tag === "File") Disk.resize(node, 0)
        opened.set(nextFile, { path, node })
        return nextFile++
      }),
    // The files of a killed process are closed: closing them again is no failure.
    close: (file, done) => {
      opened.delete(file)
      done(null)
    },
    read: (file, into, at, lengthBytes, offset, done) =>
      call(done, { call: "read", path: pathOf(file) }, () => {
        const part = fileOf(file).bytes.subarray(offset, offset + lengthBytes)
        into.set(part, at)
        return part.length
      }),
    writeSync: (file, bytes, at, lengthBytes, offset) => {
      let taken = 0
      system.write(file, bytes, at, lengthBytes, offset, (error, count) => {
        if (error !== null) throw error
        taken = count ?? 0
      })
      return taken
    },
    write: (file, bytes, at, lengthBytes, offset, done) => {
      const writeSome = (countBytes: number): number => {
        const node = fileOf(file)
        const addedBytes = Math.max(0, offset + countBytes - node.bytes.length)
        const takenBytes = countBytes - Math.max(0, addedBytes - Math.max(0, Disk.roomBytes(disk)))
        if (takenBytes <= 0) throw new Refused("ENOSPC", `write "${pathOf(file)}"`)
        Disk.write(disk, node, bytes.subarray(at, at + takenBytes), offset)
        return takenBytes
      }
      call(
        done,
        { call: "write", path: pathOf(file) },
        () => writeSome(lengthBytes),
        () => void writeSome(1 + Random.below(disk.random, lengthBytes))
      )
    },
    ftruncate: (file, lengthBytes, done) =>
      call(done, { call: "ftruncate", path: pathOf(file) }, () => Disk.resize(fileOf(file), lengthBytes)),
    fdatasync: (file, done) => call(done, { call: "fdatasync", path: pathOf(file) }, sync(file)),
    fsync: (file, done) => call(done, { call: "fsync", path: pathOf(file) }, sync(file)),
    fstat: (file, _, done) => call(done, { call: "look", path: pathOf(file) }, () => identityOf(openOf(file).node)),
    stat: (path, _, done) => call(done, { call: "look", path }, () => identityOf(existing(path))),
    rename: (from, to, done) => {
      const work = (): void => {
        const node = existing(from)
        const { folder, name } = folderOf(to)
        Disk.change(folder, { name, node, from: folderOf(from).name })
        isKilled ||= ++renamesCount === options.killedAfterRename
      }
      call(done, { call: "rename", path: to }, work, work)
    },
    unlink: (path, done) => {
      const work = (): void => {
        existing(path)
        const { folder, name } = folderOf(path)
        Disk.change(folder, { name, node: undefined })
      }
      call(done, { call: "unlink", path }, work, work)
    },
    mkdir: (path, done) =>
      call(done, { call: "mkdir", path }, () => {
        const { folder, name } = folderOf(path)
        if (name === "" || folder.names.has(name)) throw new Refused("EEXIST", `"${path}"`)
        Disk.addFolder(disk, folder, name)
      }),
    readdir: (path, done) =>
      call(done, { call: "look", path }, () => {
        const node = existing(path)
        if (node._tag !== "Folder") throw new Refused("ENOTDIR", `"${path}"`)
        return [...node.names.keys()]
      }),
    readFile: (path, done) =>
      call(done, { call: "read", path }, () => {
        const node = existing(path)
        if (node._tag !== "File") throw new Refused("EISDIR", `"${path}"`)
        return node.bytes.slice()
      })
  }
  return {
    system,
    callsCount: () => callsCount,
    isKilled: () => isKilled,
    kill: () => {
      isKilled = true
    }
  }
}
