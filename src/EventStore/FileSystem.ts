/**
 * The calls of the operating system that the files of a node rest on, as a port. The default is node:fs itself; a
 * simulated disk (Testing/SimulatedFiles.ts) takes its place where power is to fail. Not what is made of them (Files.ts).
 */
import * as fs from "node:fs"
import { Context } from "effect"

/** How a call ends: as those of node:fs do. */
export type Callback<A> = (error: Error | null, value?: A) => void

/** What tells a file from another that has taken its name. */
export interface FileIdentity {
  readonly dev: bigint
  readonly ino: bigint
}

/** Of node:fs, those functions that Files.ts calls, each with the arguments that it passes. */
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
  /** The same at once: it returns how many bytes were taken, or throws. */
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

/** Provide another around all that works on a node's files. */
export const FileSystem = Context.Reference<FileSystem>("lithair/EventStore/FileSystem", { defaultValue: () => fs })
