/**
 * The calls of the operating system under the files of a node, as a port. The default is node:fs itself. Tests put a
 * simulated disk (Testing/SimulatedFiles.ts) in its place, whose power can fail. Files.ts makes Effects of the calls.
 */
import * as fs from "node:fs"
import { Context } from "effect"

/** Gets the result of a call, as in node:fs. */
export type Callback<A> = (error: Error | null, value?: A) => void

/** Tells a file from another one that took its name. */
export interface FileIdentity {
  readonly dev: bigint
  readonly ino: bigint
}

/** The functions of node:fs that Files.ts calls, with the arguments that it passes. */
export interface FileSystem {
  readonly open: (path: string, flags: string, done: Callback<number>) => void
  readonly close: (file: number, done: Callback<void>) => void
  readonly read: (
    file: number,
    into: Uint8Array,
    at: number,
    lengthBytes: number,
    offset: number,
    done: Callback<number>
  ) => void
  readonly write: (
    file: number,
    bytes: Uint8Array,
    at: number,
    lengthBytes: number,
    offset: number,
    done: Callback<number>
  ) => void
  /** Writes on this thread. Returns how many bytes were taken, or throws. */
  readonly writeSync: (file: number, bytes: Uint8Array, at: number, lengthBytes: number, offset: number) => number
  readonly ftruncate: (file: number, lengthBytes: number, done: Callback<void>) => void
  readonly fdatasync: (file: number, done: Callback<void>) => void
  readonly fsync: (file: number, done: Callback<void>) => void
  readonly fstat: (file: number, options: { readonly bigint: true }, done: Callback<FileIdentity>) => void
  readonly stat: (path: string, options: { readonly bigint: true }, done: Callback<FileIdentity>) => void
  readonly rename: (from: string, to: string, done: Callback<void>) => void
  readonly unlink: (path: string, done: Callback<void>) => void
  readonly mkdir: (path: string, done: Callback<void>) => void
  readonly readdir: (path: string, done: Callback<Array<string>>) => void
  readonly readFile: (path: string, done: Callback<Uint8Array>) => void
}

/** To replace it, provide another one around everything that uses a node's files. */
export const FileSystem = Context.Reference<FileSystem>("lithair/EventStore/FileSystem", { defaultValue: () => fs })
