/** A directory of this machine, or one that is mounted on it, as a store for backups: a folder is a folder, an object a file. */
import { randomUUID } from "node:crypto"
import { Effect, Layer, Stream } from "effect"
import { writeArchive } from "../EventStore/ArchiveFile.ts"
import {
  closeFile,
  codeOf,
  listDirectory,
  makeDirectory,
  openFile,
  readAt,
  syncDirectory,
  unlinkFile
} from "../EventStore/Files.ts"
import { LogFailed } from "../EventStore/LogStore.ts"
import { ObjectStore, StoreFailed } from "./ObjectStore.ts"

const READ_BYTES = 128 * 1024
/** The end of a name while its file is being written. */
const PART = ".part"

const failed = ({ message }: LogFailed) => new StoreFailed({ message })

const folderOf = (name: string): string => name.slice(0, name.lastIndexOf("/"))

/** Nothing is at a path, or no directory. */
const isMissing = (failure: LogFailed): boolean => ["ENOENT", "ENOTDIR"].includes(codeOf(failure) ?? "")

const namesIn = (path: string): Effect.Effect<ReadonlyArray<string>, StoreFailed> =>
  listDirectory(path).pipe(
    Effect.catchIf(isMissing, () => Effect.succeed([])),
    Effect.mapError(failed)
  )

const bytesOf = (path: string): Stream.Stream<Uint8Array, StoreFailed> =>
  Stream.unwrap(
    Effect.map(
      Effect.acquireRelease(openFile(path, "r"), (file) => Effect.orDie(closeFile(file))),
      (file) =>
        Stream.unfold(0, (offset) =>
          Effect.map(readAt(file, { offset, lengthBytes: READ_BYTES }), (bytes) =>
            bytes.length === 0 ? undefined : ([bytes, offset + bytes.length] as const)
          )
        )
    )
  ).pipe(Stream.mapError(failed))

/** Nothing remains to be done if another node has removed the file. */
const unlessGone = (removing: Effect.Effect<void, LogFailed>): Effect.Effect<void, StoreFailed> =>
  removing.pipe(
    Effect.catchIf(isMissing, () => Effect.void),
    Effect.mapError(failed)
  )

/** The store in a directory, which is made when something is written. */
export const inDirectory = (directory: string): ObjectStore["Service"] => ({
  place: directory,
  put: (name, bytes) =>
    Effect.suspend(() => {
      const folder = `${directory}/${folderOf(name)}`
      const file = name.slice(name.lastIndexOf("/") + 1)
      // A former leader and the next one may write one object at once.
      const temporaryName = `${file}.${randomUUID()}${PART}`
      const written = writeArchive({ directory: folder, name: file, bytes, isWhole: () => Effect.void, temporaryName })
      return Effect.andThen(makeDirectory(folder), written).pipe(
        Effect.mapError((met) => (met instanceof LogFailed ? failed(met) : met))
      )
    }),
  get: (name) => bytesOf(`${directory}/${name}`),
  folders: Effect.flatMap(namesIn(directory), (names) =>
    Effect.filter(names, (name) => Effect.map(namesIn(`${directory}/${name}`), (inside) => inside.length > 0))
  ),
  list: (folder) =>
    Effect.map(namesIn(`${directory}/${folder}`), (names) => names.filter((name) => !name.endsWith(PART)).toSorted()),
  remove: (name) =>
    unlessGone(Effect.andThen(unlinkFile(`${directory}/${name}`), syncDirectory(`${directory}/${folderOf(name)}`))),
  sweep: (folder) =>
    Effect.flatMap(namesIn(`${directory}/${folder}`), (names) =>
      Effect.forEach(
        names.filter((name) => name.endsWith(PART)),
        (name) => unlessGone(unlinkFile(`${directory}/${folder}/${name}`)),
        { discard: true }
      )
    )
})

/**
 * A directory as a store for backups. Mount one of another machine: a backup on the disk of its node is lost with it.
 */
export const layerDirectory = (options: { readonly directory: string }): Layer.Layer<ObjectStore> =>
  Layer.succeed(ObjectStore, ObjectStore.of(inDirectory(options.directory)))
